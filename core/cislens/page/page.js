// Reads the page's data, keeps what is shown, and answers to the reader.
(() => {
  const WHOLE = 300, WINDOW = 200, LEAST = 10;
  const byId = (id) => document.getElementById(id);
  const data = JSON.parse(byId('data').textContent);
  const state = { sequence: 0, start: 0, end: data.length, view: 'observed', shared: false, targets: [] };
  let rows = [], codes = [], frame = 0;

  function readRows() {
    codes = Array.from(data.sequences[state.sequence].bases, (base) => Draw.LETTERS.indexOf(base));
    rows = Numbers.rowsOf(data, state.sequence, state.targets, codes);
  }

  const setScales = () => Numbers.setEnds(rows, Draw.range, state.view === 'all', state.shared);
  const peakWindow = (width) => Numbers.peakWindow(rows, data.length, width);

  // ---- drawing -----------------------------------------------------------------------------------------
  function figure(width) {
    const { bases, region } = data.sequences[state.sequence];
    const bands = data.bands.map((band) => ({ ...band, rows: band.rows[state.sequence] }));
    return { width, start: state.start, end: state.end, bases, codes, region, bands, rows, view: state.view, glyphs: data.glyphs, centring: data.centring };
  }

  function draw() {
    frame = 0;
    const width = Math.max(320, Math.floor(byId('logo').clientWidth));
    byId('overview').innerHTML = Draw.overview(rows, data.length, width, [state.start, state.end]);
    byId('logo').innerHTML = Draw.logo(figure(width));
    const { region } = data.sequences[state.sequence];
    const [first, last] = [Math.floor(state.start), Math.ceil(state.end)];
    byId('window').textContent = `Positions ${first} to ${last} of ${data.length.toLocaleString('en')} bp${Draw.place(region, first, last)}.`;
  }

  const later = () => { if (!frame) frame = requestAnimationFrame(draw); };

  const allowed = (width) => Math.min(data.length, Math.max(LEAST, width));

  function setWindow(start, end) {
    const width = allowed(end - start);
    const middle = (start + end) / 2;
    state.start = Math.min(Math.max(0, middle - width / 2), data.length - width);
    state.end = state.start + width;
    byId('tip').hidden = true;
    later();
  }

  function zoom(factor, at = (state.start + state.end) / 2) {
    const width = allowed((state.end - state.start) * factor);
    const share = (at - state.start) / (state.end - state.start);
    setWindow(at - share * width, at + (1 - share) * width);
  }

  const move = (share) => { const by = share * (state.end - state.start); setWindow(state.start + by, state.end + by); };
  const initial = () => (data.length <= WHOLE ? [0, data.length] : peakWindow(WINDOW));

  function refresh(window) {
    readRows();
    setScales();
    Figures.show(data, state.sequence, state.targets);
    setWindow(...(window ? initial() : [state.start, state.end]));
  }

  function choose(sequence) {
    state.sequence = Math.min(Math.max(0, sequence), data.sequences.length - 1);
    markChosen();
    if (!byId('viewer')) return Figures.show(data, state.sequence, []);
    byId('name').textContent = data.sequences[state.sequence].id;
    byId('place').textContent = `${(state.sequence + 1).toLocaleString('en')} of ${data.sequences.length.toLocaleString('en')}`;
    return refresh(true);
  }

  // ---- list and strips ---------------------------------------------------------------------------------
  const lines = Array.from(document.querySelectorAll('#list tbody tr'));

  function markChosen() {
    for (const line of lines) {
      const chosen = Number(line.dataset.i) === state.sequence;
      line.classList.toggle('chosen', chosen);
      line.querySelector('.pick').setAttribute('aria-current', String(chosen));
      if (chosen) markStrips(line);
    }
  }

  function markStrips(line) {
    document.querySelectorAll('.strip').forEach((strip, column) => {
      const value = Number.parseFloat(line.cells[column + 1].dataset.sort), { low, high, margin } = strip.dataset;
      const here = strip.querySelector('.here');
      const x = Number(margin) + (value - low) / (high - low) * (strip.viewBox.baseVal.width - 2 * margin);
      here.setAttribute('visibility', Number.isFinite(value) ? 'visible' : 'hidden');
      if (Number.isFinite(value)) here.setAttribute('transform', `translate(${x} 0)`);
    });
  }

  function sortList(button) {
    const column = Number(button.dataset.column), head = button.closest('th');
    const down = head.getAttribute('aria-sort') === 'descending' || (column === 0 && head.getAttribute('aria-sort') === 'none');
    document.querySelectorAll('#list thead th').forEach((other) => other.setAttribute('aria-sort', 'none'));
    head.setAttribute('aria-sort', down ? 'ascending' : 'descending');
    const value = (line) => (column ? Number.parseFloat(line.cells[column].dataset.sort) : line.querySelector('.pick').textContent);
    const compare = (a, b) => {
      const [p, q] = [value(a), value(b)];
      if (!column) return p.localeCompare(q, 'en', { numeric: true });
      return (Number.isNaN(p) ? -Infinity : p) - (Number.isNaN(q) ? -Infinity : q);
    };
    const sorted = [...lines].sort((a, b) => (down ? 1 : -1) * compare(a, b));
    document.querySelector('#list tbody').append(...sorted);
  }

  function find() {
    const wanted = byId('find').value.trim().toLowerCase();
    let count = 0;
    for (const line of lines) {
      line.hidden = !line.cells[0].textContent.toLowerCase().includes(wanted);
      count += line.hidden ? 0 : 1;
    }
    byId('found').textContent = wanted ? `${count} of ${lines.length}` : '';
  }

  function step(by) {
    const shown = Array.from(document.querySelectorAll('#list tbody tr:not([hidden])'));
    const at = shown.findIndex((line) => Number(line.dataset.i) === state.sequence);
    const next = shown[Math.min(Math.max(0, at + by), shown.length - 1)];
    if (!next) return;
    choose(Number(next.dataset.i));
    next.closest('.scroll').scrollTop = next.offsetTop - 100;
  }

  // ---- targets -----------------------------------------------------------------------------------------
  function buildTargets() {
    const mapped = [...new Set(data.tracks.map((track) => track.target))].sort((a, b) => a - b);
    state.targets = mapped.slice(0, mapped.length <= 2 ? 2 : 1);
    if (mapped.length < 2) return;
    const box = byId('targets');
    if (mapped.length <= 3) {
      for (const target of mapped) {
        const button = document.createElement('button');
        button.type = 'button';
        button.textContent = data.targets[target];
        button.setAttribute('aria-pressed', String(state.targets.includes(target)));
        button.addEventListener('click', () => {
          const on = state.targets.includes(target);
          if (on && state.targets.length === 1) return;
          state.targets = on ? state.targets.filter((t) => t !== target) : [...state.targets, target];
          button.setAttribute('aria-pressed', String(!on));
          refresh(false);
        });
        box.append(button);
      }
      return;
    }
    const selects = ['Target', 'and'].map((word, place) => {
      const label = document.createElement('label'), select = document.createElement('select');
      if (place) select.append(new Option('no other', '-1'));
      for (const target of mapped) select.append(new Option(data.targets[target], String(target)));
      label.append(`${word} `, select);
      box.append(label);
      return select;
    });
    for (const select of selects) {
      select.addEventListener('change', () => {
        state.targets = selects.map((s) => Number(s.value)).filter((target) => target >= 0);
        refresh(false);
      });
    }
  }

  // ---- pointer and keys --------------------------------------------------------------------------------
  function positionAt(event, box, whole) {
    const area = box.getBoundingClientRect(), room = area.width - Draw.LEFT - Draw.RIGHT;
    const share = (event.clientX - area.left - Draw.LEFT) / room;
    return whole ? share * data.length : state.start + share * (state.end - state.start);
  }

  function dragging(box, begin) {
    let follow = null;
    box.addEventListener('pointerdown', (event) => {
      if (event.button !== 0) return;
      follow = begin(event);
      box.setPointerCapture(event.pointerId);
    });
    box.addEventListener('pointermove', (event) => { if (follow) follow(event); });
    for (const kind of ['pointerup', 'pointercancel']) box.addEventListener(kind, () => { follow = null; });
  }

  function beginOverview(event) {
    const box = byId('overview'), at = positionAt(event, box, true), near = 7 * data.length / box.clientWidth;
    const { start, end } = state;
    if (Math.abs(at - start) < near) return (e) => setWindow(Math.min(Math.max(0, positionAt(e, box, true)), end - LEAST), end);
    if (Math.abs(at - end) < near) return (e) => setWindow(start, Math.max(Math.min(data.length, positionAt(e, box, true)), start + LEAST));
    const offset = at < start || at > end ? (end - start) / 2 : at - start;
    const follow = (e) => { const to = positionAt(e, box, true) - offset; setWindow(to, to + end - start); };
    follow(event);
    return follow;
  }

  function beginLogo(event) {
    const { start, end } = state, from = event.clientX, room = byId('logo').clientWidth - Draw.LEFT - Draw.RIGHT;
    return (e) => { const by = (from - e.clientX) / room * (end - start); setWindow(start + by, end + by); };
  }

  function wheel(box, whole) {
    box.addEventListener('wheel', (event) => {
      if (!whole && !(event.ctrlKey || event.metaKey)) return;  // the page must still scroll over the logo
      event.preventDefault();
      zoom(Math.exp(Math.max(-60, Math.min(60, event.deltaY)) / 300), positionAt(event, box, whole));
    }, { passive: false });
  }

  function cellsOf(row, i) {
    if (row.missing) return '<td colspan="4">not explained</td>';
    const said = (k) => `${Draw.number(row.values[k])}${row.errors && row.errors[k] >= 0 ? ` ± ${Draw.number(row.errors[k], 2)}` : ''}`;
    if (row.channels === 1) return `<td colspan="4">${said(i)}</td>`;
    return [0, 1, 2, 3].map((b) => `<td class="number${codes[i] === b ? ' own' : ''}">${said(4 * i + b)}</td>`).join('');
  }

  function hover(event) {
    const box = byId('logo'), tip = byId('tip'), i = Math.floor(positionAt(event, box, false));
    if (i < Math.max(0, Math.floor(state.start)) || i >= Math.min(data.length, Math.ceil(state.end)) || event.buttons) {
      leave();
      return;
    }
    const { bases, region } = data.sequences[state.sequence];
    const body = rows.map((row) => `<tr><th>${Draw.escape(row.title)}</th>${cellsOf(row, i)}</tr>`).join('');
    const words = `position <b>${i.toLocaleString('en')}</b> · base <b>${Draw.escape(bases[i])}</b>${Draw.escape(Draw.place(region, i, i + 1))}<table><thead><tr><th></th>${Array.from(Draw.LETTERS, (b) => `<th class="number">${b}</th>`).join('')}</tr></thead><tbody>${body}</tbody></table>`;
    Figures.tip(tip, byId('viewer'), event, words);
    const cross = box.querySelector('.cross'), step = (box.clientWidth - Draw.LEFT - Draw.RIGHT) / (state.end - state.start);
    const left = Math.max(Draw.LEFT, Draw.LEFT + (i - state.start) * step);
    if (cross) cross.setAttribute('d', `M${left} 4h${step}V${box.firstChild.viewBox.baseVal.height}h${-step}z`);
  }

  function leave() {
    byId('tip').hidden = true;
    const cross = document.querySelector('#logo .cross');
    if (cross) cross.setAttribute('d', '');
  }

  function save() {
    const { id } = data.sequences[state.sequence];
    const heading = `${id}, positions ${Math.floor(state.start)} to ${Math.ceil(state.end)}`;
    const svg = Draw.logo({ ...figure(1200), alone: { heading, safe: byId('safe').checked } });
    const link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob([svg], { type: 'image/svg+xml' }));
    link.download = `${id.replace(/[^\w.-]+/g, '_')}.svg`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  const KEYS = {
    ArrowLeft: () => move(-0.2), ArrowRight: () => move(0.2), '+': () => zoom(0.7), '=': () => zoom(0.7), '-': () => zoom(1 / 0.7),
    0: () => setWindow(0, data.length), n: () => step(1), p: () => step(-1),
  };

  const on = (id, kind, action) => byId(id).addEventListener(kind, action);

  function listenToList() {
    on('find', 'input', find);
    on('list', 'click', (event) => {
      const head = event.target.closest('thead button'), line = event.target.closest('tbody tr');
      if (head) sortList(head);
      else if (line) choose(Number(line.dataset.i));
    });
  }

  function listenToViewer() {
    on('previous', 'click', () => step(-1));
    on('next', 'click', () => step(1));
    on('closer', 'click', () => zoom(0.7));
    on('wider', 'click', () => zoom(1 / 0.7));
    on('whole', 'click', () => setWindow(0, data.length));
    on('peak', 'click', () => setWindow(...peakWindow(Math.min(data.length, data.length <= WHOLE ? 60 : WINDOW))));
    on('save', 'click', save);
    on('view', 'change', (event) => { state.view = event.target.value; setScales(); later(); });
    on('scale', 'change', (event) => { state.shared = event.target.value === 'shared'; setScales(); later(); });
    on('safe', 'change', (event) => document.body.classList.toggle('safe', event.target.checked));
    on('logo', 'keydown', (event) => {
      const action = event.ctrlKey || event.metaKey || event.altKey ? undefined : KEYS[event.key];
      if (action) { event.preventDefault(); action(); }
    });
    on('logo', 'pointermove', hover);
    on('logo', 'pointerleave', leave);
    dragging(byId('overview'), beginOverview);
    dragging(byId('logo'), beginLogo);
    wheel(byId('overview'), true);
    wheel(byId('logo'), false);
    new ResizeObserver(later).observe(byId('logo'));
  }

  Figures.showModels(data);
  if (!data.sequences.length) return;
  listenToList();
  if (byId('viewer')) {
    byId('viewer').hidden = false;
    if (!data.tracks.some((track) => track.channels === 4)) byId('view').closest('label').hidden = true;
    buildTargets();
    listenToViewer();
  }
  choose(0);
})();
