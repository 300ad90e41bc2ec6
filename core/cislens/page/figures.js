// Shows the curves and pair terms of the sequence that is shown, and those of the model.
const Figures = (() => {
  const KINDS = [['curves', Curve.draw], ['interactions', Pairs.draw]];
  const PADDING = 28;  // px of a card beside its picture

  // Puts a box beside the pointer, inside an area that the box is placed in.
  function tip(box, area, event, html) {
    box.innerHTML = html;
    box.hidden = false;
    const frame = area.getBoundingClientRect(), x = event.clientX - frame.left;
    box.style.left = `${Math.max(0, x + 18 + box.offsetWidth > frame.width ? x - box.offsetWidth - 18 : x + 18)}px`;
    box.style.top = `${event.clientY - frame.top + 16}px`;
  }

  function show(data, sequence, targets) {
    const chosen = data.sequences[sequence], bases = chosen ? chosen.bases : '';
    const isOfIt = (figure) => figure.sequence >= 0 && figure.sequence === sequence &&
      (figure.target < 0 || !targets.length || targets.includes(figure.target));
    for (const [kind, draw] of KINDS) {
      const section = document.getElementById(kind);
      if (!section) continue;
      const held = data[kind].some((figure) => figure.sequence >= 0), drawn = data[kind].filter(isOfIt);
      fill(section.querySelector('.of-sequence'), drawn, bases, draw);
      section.querySelector('.chosen-id').textContent = held && chosen ? `of ${chosen.id}` : '';
      section.querySelector('.missing').hidden = !held || drawn.length > 0;
    }
  }

  // What speaks of the model: where it has several designs, one of them at a time.
  function showModels(data) {
    for (const [kind, draw] of KINDS) {
      const section = document.getElementById(kind), figures = data[kind].filter((figure) => figure.sequence < 0);
      if (!section || !figures.length) continue;
      const names = [...new Set(figures.map((figure) => figure.of))], select = section.querySelector('select');
      const refill = () => fill(section.querySelector('.of-model'), figures.filter((figure) => figure.of === names[select.selectedIndex]), '', draw);
      select.append(...names.map((name) => new Option(name || 'none')));
      select.closest('label').hidden = names.length === 1 && !names[0];
      select.addEventListener('change', refill);
      refill();
    }
  }

  function fill(box, figures, bases, draw) {
    const room = box.clientWidth - PADDING;
    box.innerHTML = figures.map((figure) => card(figure, draw(figure, bases, room))).join('');
    box.querySelectorAll('.card').forEach((held, k) => {
      const svg = held.querySelector('.pairs');
      if (svg) listen(svg, figures[k], bases, room);
    });
  }

  function card(figure, picture) {
    const fit = figure.fit === undefined || figure.fit === null ? '' : `<span class="quiet fit">held-out R² ${Draw.number(figure.fit, 3)}</span>`;
    const whole = figure.sequence < 0 && !figure.of ? ' <span class="quiet">of the model</span>' : '';
    return `<figure class="card"><figcaption>${Draw.escape(figure.label)} · ${Draw.escape(figure.name)}${whole}${fit}</figcaption>${picture}</figure>`;
  }

  function listen(svg, figure, bases, room) {
    const area = svg.closest('.over'), box = area.querySelector('.tip');
    svg.addEventListener('pointermove', (event) => {
      const frame = svg.getBoundingClientRect(), scale = svg.viewBox.baseVal.width / frame.width;
      const text = Pairs.said(figure, bases, (event.clientX - frame.left) * scale, (event.clientY - frame.top) * scale, room);
      if (text) tip(box, area, event, text); else box.hidden = true;
    });
    svg.addEventListener('pointerleave', () => { box.hidden = true; });
  }

  return { show, showModels, tip };
})();
