// Draws pair terms as a heat map of positions by positions: below the diagonal, base by base where there is room.
const Pairs = (() => {
  const SIDE = 520, LARGEST = 24, LEFT = 62, TOP = 8, RIGHT = 10, BOTTOM = 50, SHADES = 20, LETTERS_FROM = 8, BAR = 168;
  const CORE = 'ACGT';

  // How wide a position is drawn, in px: whole ones for each base where all are drawn.
  function blockOf(figure) {
    const room = SIDE / figure.span;
    return figure.bases ? Math.max(0.5, Math.floor(2 * room) / 2) : Math.min(LARGEST, Math.max(4, 4 * Math.floor(room / 4)));
  }

  function unpacked(figure) {
    return {
      pairs: Numbers.unpack(1, figure.pairs, 16), terms: Numbers.unpack(figure.scale, figure.data, 8),
      largest: figure.bases ? Numbers.unpack(1, figure.bases, 8) : null,
    };
  }

  // Values as shades, each a box [left, top, width, height] that `boxOf` gives for its number.
  function shaded(values, peak, boxOf) {
    const shades = {};
    values.forEach((value, k) => {
      const shade = Math.round(SHADES * Math.abs(value) / peak);
      if (!shade) return;
      const [left, top, wide, tall] = boxOf(k), key = `${value > 0 ? 'up' : 'down'} ${shade}`;
      shades[key] = `${shades[key] || ''}M${Draw.fixed(left)} ${Draw.fixed(top)}h${Draw.fixed(wide)}v${Draw.fixed(tall)}h${Draw.fixed(-wide)}z`;
    });
    const paths = Object.entries(shades).map(([key, d]) => {
      const [sign, shade] = key.split(' ');
      return `<path class="heat-${sign}" fill-opacity="${shade / SHADES}" d="${d}"/>`;
    });
    return `<g shape-rendering="crispEdges">${paths.join('')}</g>`;
  }

  function cells({ pairs, terms, largest }, block, peak) {
    const side = largest ? block : block / 4;
    return shaded(terms, peak, (k) => {
      const pair = largest ? k : Math.floor(k / 16), [left, top] = [LEFT + pairs[2 * pair] * block, TOP + pairs[2 * pair + 1] * block];
      return largest ? [left, top, side, side] : [left + Math.floor(k % 16 / 4) * side, top + k % 4 * side, side, side];
    });
  }

  // The steps of the diagonal, and lines between positions where they are wide enough.
  function grid(span, block) {
    const side = span * block, steps = block >= LETTERS_FROM ? Array.from({ length: span - 1 }, (_, k) => k + 1) : [];
    const lines = steps.map((k) => `M${LEFT + k * block} ${TOP + k * block}V${TOP + side}M${LEFT} ${TOP + k * block}H${LEFT + k * block}`).join('');
    return `<path class="grid" d="${lines}"/><path class="edge" d="M${LEFT} ${TOP}V${TOP + side}H${LEFT + side}"/>`;
  }

  function axes(figure, block, bases) {
    const { start, span } = figure, bottom = TOP + span * block;
    let letters = '', marks = '';
    const gap = bases && block >= LETTERS_FROM ? 13 : 2;
    for (let k = 0; k < span && bases && block >= LETTERS_FROM; k++) {
      const base = CORE.includes(bases[start + k]) ? bases[start + k] : 'N', middle = (k + 0.5) * block;
      letters += `<text class="base-${base}" x="${LEFT + middle}" y="${bottom + 11}" text-anchor="middle">${base}</text>` +
        `<text class="base-${base}" x="${LEFT - 7}" y="${TOP + middle + 3.5}" text-anchor="middle">${base}</text>`;
    }
    for (const value of Draw.ticks(start, start + span - 1, Math.min(8, span - 1))) {
      if (!Number.isInteger(value)) continue;
      const at = (value - start + 0.5) * block;
      marks += `<path d="M${LEFT + at} ${bottom + gap}v4M${LEFT - gap} ${TOP + at}h-4"/><text x="${LEFT + at}" y="${bottom + gap + 15}" text-anchor="middle">${value}</text>` +
        `<text x="${LEFT - gap - 7}" y="${TOP + at + 3.6}" text-anchor="end">${value}</text>`;
    }
    return `<g class="letters">${letters}</g><g class="axis">${marks}<text x="${LEFT + span * block / 2}" y="${bottom + 44}" text-anchor="middle">first position</text>` +
      `<text transform="translate(10 ${TOP + span * block / 2}) rotate(-90)" text-anchor="middle">second position</text></g>`;
  }

  // The colour bar, in the corner that the triangle leaves free.
  function bar(figure, peak, right) {
    const left = right - BAR, step = BAR / (2 * SHADES + 1);
    let body = '';
    for (let shade = -SHADES; shade <= SHADES; shade++) {
      if (shade) body += `<rect class="heat-${shade > 0 ? 'up' : 'down'}" fill-opacity="${Math.abs(shade) / SHADES}" x="${Draw.fixed(left + (shade + SHADES) * step)}" y="${TOP + 20}" width="${Draw.fixed(step)}" height="10"/>`;
    }
    const words = [[left, `−${Draw.number(peak, 2)}`], [left + BAR / 2, '0'], [right, `+${Draw.number(peak, 2)}`]];
    const numbers = words.map(([at, text], k) => `<text x="${at}" y="${TOP + 43}" text-anchor="${['start', 'middle', 'end'][k]}">${text}</text>`).join('');
    return `<g class="axis"><g shape-rendering="crispEdges">${body}</g><path fill="none" d="M${left} ${TOP + 20}h${BAR}v10h${-BAR}z"/>${numbers}` +
      `<text x="${right}" y="${TOP + 12}" text-anchor="end">${Draw.escape(Draw.shorten(figure.unit.replace(/(the )?target/, () => figure.name), 44))}</text></g>`;
  }

  const peakOf = (values) => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1;

  // Neighbours alone would be a thin diagonal: they have a picture of their own.
  function draw(figure, bases, room) {
    if (!figure.data) return '<p class="quiet">The surrogate found none: all terms are zero.</p>';
    if (figure.neighbours) return Neighbours.draw(figure, bases, room);
    const block = blockOf(figure), side = figure.span * block, held = unpacked(figure);
    const peak = peakOf(held.terms);
    const width = LEFT + Math.max(side, BAR + 60) + RIGHT, height = TOP + side + BOTTOM;
    const words = `Pair terms of ${figure.name}, positions ${figure.start} to ${figure.start + figure.span}`;
    return `<svg class="pairs" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-size="11" role="img" aria-label="${Draw.escape(words)}">` +
      `${cells(held, block, peak)}${grid(figure.span, block)}${axes(figure, block, bases)}${bar(figure, peak, width - RIGHT)}</svg>`;
  }

  // What stands at a point of the picture, in words; nothing where no pair is drawn.
  function said(figure, bases, x, y, room) {
    if (figure.neighbours) return Neighbours.said(figure, bases, x, y, room);
    const block = blockOf(figure), across = (x - LEFT) / block, down = (y - TOP) / block, held = unpacked(figure);
    const [first, second] = [Math.floor(across), Math.floor(down)];
    let pair = -1;
    for (let k = 0; k < held.pairs.length / 2; k++) if (held.pairs[2 * k] === first && held.pairs[2 * k + 1] === second) pair = k;
    if (pair < 0) return '';
    const term = held.largest ? held.largest[pair] : 4 * Math.floor(4 * (across - first)) + Math.floor(4 * (down - second));
    const value = held.terms[held.largest ? pair : 16 * pair + term];
    return sentence([figure.start + first, figure.start + second], term, value, bases, held.largest ? ', the largest of this pair' : '');
  }

  function sentence(places, term, value, bases, note) {
    const own = bases ? `<br>the sequence has ${Draw.escape(bases[places[0]])} and ${Draw.escape(bases[places[1]])}` : '';
    return `<b>${CORE[Math.floor(term / 4)]}</b> at ${places[0]} with <b>${CORE[term % 4]}</b> at ${places[1]}: <b>${Draw.number(value, 2)}</b>${note}${own}`;
  }

  return { CORE, bar, draw, peakOf, said, sentence, shaded, unpacked };
})();
