// Shows the curves and pair terms of the sequence that is shown, and those of the model.
const Figures = (() => {
  const KINDS = [['curves', Curve.draw], ['interactions', Pairs.draw]];

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
    const isShown = (figure) => figure.sequence < 0 ||
      (figure.sequence === sequence && (figure.target < 0 || !targets.length || targets.includes(figure.target)));
    for (const [kind, draw] of KINDS) {
      const box = document.querySelector(`#${kind} .cards`);
      if (!box) continue;
      const shown = data[kind].filter(isShown);
      box.innerHTML = shown.map((figure) => card(figure, draw(figure, figure.sequence < 0 ? '' : bases))).join('') ||
        '<p class="quiet">None is held of this sequence.</p>';
      const named = document.querySelector(`#${kind} .chosen-id`);
      if (named && chosen) named.textContent = `of ${chosen.id}`;
      if (kind === 'interactions') listen(box, shown, bases);
    }
  }

  function card(figure, picture) {
    const fit = figure.fit === undefined || figure.fit === null ? '' : `<span class="quiet fit">held-out R² ${Draw.number(figure.fit, 3)}</span>`;
    const whole = figure.sequence < 0 ? ' <span class="quiet">of the model</span>' : '';
    return `<figure class="card"><figcaption>${Draw.escape(figure.label)} · ${Draw.escape(figure.name)}${whole}${fit}</figcaption>${picture}</figure>`;
  }

  function listen(box, shown, bases) {
    const said = document.querySelector('#interactions .tip'), area = box.parentElement;
    box.querySelectorAll('.pairs').forEach((svg, k) => {
      svg.addEventListener('pointermove', (event) => {
        const frame = svg.getBoundingClientRect(), scale = svg.viewBox.baseVal.width / frame.width;
        const text = Pairs.said(shown[k], shown[k].sequence < 0 ? '' : bases, (event.clientX - frame.left) * scale, (event.clientY - frame.top) * scale);
        if (text) tip(said, area, event, text); else said.hidden = true;
      });
      svg.addEventListener('pointerleave', () => { said.hidden = true; });
    });
  }

  return { show, tip };
})();
