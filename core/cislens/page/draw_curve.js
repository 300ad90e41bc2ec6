// Draws a curve from the latent phenotype to the target with the answers behind it. No state.
const Curve = (() => {
  const WIDTH = 344, HEIGHT = 250, LEFT = 56, RIGHT = 12, TOP = 10, BOTTOM = 40;

  // The rows of a packed table, as arrays of their columns.
  function table(packed) {
    if (!packed) return [];
    const values = Numbers.unpack(packed.scale, packed.data, 16), k = packed.columns;
    return Array.from({ length: values.length / k }, (_, i) => values.subarray(k * i, k * i + k));
  }

  function ends(values) {
    const low = Math.min(...values), high = Math.max(...values), room = (high - low) * 0.04 || 0.5;
    return [low - room, high + room];
  }

  // The ends of the y axis: all answers and lines, and of bands what lies not too far from them.
  function heights(rows) {
    const values = rows.map((row) => row[1]), low = Math.min(...values), high = Math.max(...values), room = (high - low) / 2;
    const bounds = rows.flatMap((row) => Array.from(row.slice(2))).filter((value) => value > low - room && value < high + room);
    return ends([...values, ...bounds]);
  }

  function draw(figure) {
    const lines = figure.lines.map(table), points = table(figure.points), mark = table(figure.mark);
    const rows = [...lines.flat(), ...points, ...mark];
    const [first, last] = ends(rows.map((row) => row[0])), [low, high] = heights(rows);
    const x = (latent) => LEFT + (latent - first) / (last - first) * (WIDTH - LEFT - RIGHT);
    const y = (value) => TOP + (high - Math.min(Math.max(value, low), high)) / (high - low) * (HEIGHT - TOP - BOTTOM);
    const at = (row, column) => `${Draw.fixed(x(row[0]))} ${Draw.fixed(y(row[column]))}`;
    const path = (line, column) => line.map((row) => at(row, column)).join('L');
    const bands = lines.filter((line) => line.length && line[0].length === 4)
      .map((line) => `<path class="band" d="M${path(line, 2)}L${path([...line].reverse(), 3)}z"/>`).join('');
    const dots = points.length ? `<path class="answers" d="${points.map((row) => `M${at(row, 1)}h0`).join('')}"/>` : '';
    const curves = lines.map((line) => `<path class="line" d="M${path(line, 1)}"/>`).join('');
    const ring = mark.map((row) => `<circle class="wild" cx="${Draw.fixed(x(row[0]))}" cy="${Draw.fixed(y(row[1]))}" r="4.5"/>`).join('');
    const words = `${figure.name} by the latent phenotype${figure.fit === null ? '' : `, held-out R² ${Draw.number(figure.fit, 3)}`}`;
    return `<svg class="curve" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" font-size="11" role="img" aria-label="${Draw.escape(words)}">` +
      `${axes(figure, x, y, [first, last], [low, high])}${bands}${dots}${curves}${ring}</svg>`;
  }

  function axes(figure, x, y, across, up) {
    const base = HEIGHT - BOTTOM;
    let marks = `<path d="M${LEFT} ${TOP}V${base}H${WIDTH - RIGHT}"/>`;
    for (const value of Draw.ticks(...across, 5)) {
      marks += `<path d="M${Draw.fixed(x(value))} ${base}v4"/><text x="${Draw.fixed(x(value))}" y="${base + 16}" text-anchor="middle">${Draw.number(value)}</text>`;
    }
    for (const value of Draw.ticks(...up, 4)) {
      marks += `<path d="M${LEFT - 4} ${Draw.fixed(y(value))}h4"/><text x="${LEFT - 7}" y="${Draw.fixed(y(value) + 3.6)}" text-anchor="end">${Draw.number(value)}</text>`;
    }
    return `<g class="axis">${marks}<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 6}" text-anchor="middle">latent phenotype</text>` +
      `<text transform="translate(12 ${(TOP + base) / 2}) rotate(-90)" text-anchor="middle">${Draw.escape(Draw.shorten(figure.name, 34))}</text></g>`;
  }

  return { draw };
})();
