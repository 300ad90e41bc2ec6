// Draws terms of neighbouring positions as a strip: a column a pair of neighbours, a row a pair of bases.
const Neighbours = (() => {
  const LEFT = 62, RIGHT = 10, TOP = 64, ROW = 9, BOTTOM = 50, LETTERS_FROM = 9, LEAST = 300, MOST_STEP = 24;

  const stepOf = (figure, room) => Math.min(MOST_STEP, (Math.max(room, LEAST) - LEFT - RIGHT) / (figure.span - 1));

  function axes(figure, bases, step, bottom) {
    let marks = `<path d="M${LEFT} ${TOP}V${bottom}H${Draw.fixed(LEFT + (figure.span - 1) * step)}"/>`, letters = '';
    for (let term = 0; term < 16; term++) {
      marks += `<text class="pair-name" x="${LEFT - 5}" y="${TOP + (term + 0.5) * ROW + 3}" text-anchor="end">${Pairs.CORE[Math.floor(term / 4)]}${Pairs.CORE[term % 4]}</text>`;
    }
    const lettered = bases && step >= LETTERS_FROM, gap = lettered ? 13 : 2;
    for (let k = 0; lettered && k < figure.span; k++) {
      const base = Pairs.CORE.includes(bases[figure.start + k]) ? bases[figure.start + k] : 'N';
      letters += `<text class="base-${base}" x="${Draw.fixed(LEFT + k * step)}" y="${bottom + 11}" text-anchor="middle">${base}</text>`;
    }
    for (const value of Draw.ticks(figure.start, figure.start + figure.span - 1, Math.min(figure.span - 1, 12))) {
      const at = LEFT + (value - figure.start) * step;
      if (Number.isInteger(value)) marks += `<path d="M${Draw.fixed(at)} ${bottom + gap}v4"/><text x="${Draw.fixed(at)}" y="${bottom + gap + 16}" text-anchor="middle">${value}</text>`;
    }
    const middle = Draw.fixed(LEFT + (figure.span - 1) * step / 2);
    return `<g class="letters">${letters}</g><g class="axis">${marks}<text x="${middle}" y="${bottom + 44}" text-anchor="middle">first position</text></g>`;
  }

  function draw(figure, bases, room) {
    const step = stepOf(figure, room), held = Pairs.unpacked(figure), peak = Pairs.peakOf(held.terms);
    const width = Math.max(LEAST, Math.ceil(LEFT + (figure.span - 1) * step + RIGHT)), bottom = TOP + 16 * ROW;
    const boxOf = (k) => [LEFT + held.pairs[2 * Math.floor(k / 16)] * step, TOP + k % 16 * ROW, step, ROW];
    const words = `Terms of neighbouring positions of ${figure.name}, positions ${figure.start} to ${figure.start + figure.span}`;
    return `<svg class="pairs" viewBox="0 0 ${width} ${bottom + BOTTOM}" width="${width}" height="${bottom + BOTTOM}" font-size="11" role="img" aria-label="${Draw.escape(words)}">` +
      `${Pairs.shaded(held.terms, peak, boxOf)}${axes(figure, bases, step, bottom)}${Pairs.bar(figure, peak, width - RIGHT)}</svg>`;
  }

  function said(figure, bases, x, y, room) {
    const held = Pairs.unpacked(figure), first = Math.floor((x - LEFT) / stepOf(figure, room)), term = Math.floor((y - TOP) / ROW);
    for (let k = 0; k < held.pairs.length / 2; k++) {
      if (held.pairs[2 * k] !== first || term < 0 || term > 15) continue;
      return Pairs.sentence([figure.start + first, figure.start + first + 1], term, held.terms[16 * k + term], bases, '');
    }
    return '';
  }

  return { draw, said };
})();
