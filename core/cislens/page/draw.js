'use strict';
// Draws tracks as SVG text. No state: what is drawn depends on the arguments alone.
const Draw = (() => {
  const LETTERS = 'ACGT';
  const LEFT = 92, RIGHT = 10, LETTER_WIDTH = 2.6, BASES_WIDTH = 7, SHADES = 10;
  const BOX = 15, LANES = 4, PALETTE = 8;
  const LIGHT = `text{font-family:Helvetica,Arial,sans-serif;font-size:11px}.base-A{fill:#128a46}.base-C{fill:#1f5fa8}
.base-G{fill:#f0a30a}.base-T{fill:#d3222a}.base-N{fill:#8b95a1}.axis text{fill:#444}.axis path{stroke:#888;fill:none}
.title{font-weight:bold;fill:#111}.note{fill:#666}.mask{fill:#3c4653}.heat-up{fill:#b2182b}.heat-down{fill:#2166ac}.own{fill:#111}
.instance-name{font-size:10.5px;fill:#fff}.motif-0{fill:#2f6fb0}.motif-1{fill:#b0462f}.motif-2{fill:#3d7d3d}.motif-3{fill:#7a4fa3}
.motif-4{fill:#9a6a00}.motif-5{fill:#0f7f86}.motif-6{fill:#a33d74}.motif-7{fill:#5d6672}.unsure{fill-opacity:.3}`;
  const SAFE = '.base-A{fill:#009e73}.base-C{fill:#0072b2}.base-G{fill:#e69f00}.base-T{fill:#882255}';

  const escape = (text) => String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
  const fixed = (value) => String(Math.round(value * 100) / 100);

  function number(value, figures = 3) {
    if (!Number.isFinite(value)) return '–';
    const short = Number(value.toPrecision(figures));
    const size = Math.abs(short);
    const text = size !== 0 && (size < 1e-3 || size >= 1e5) ? short.toExponential() : String(short);
    return text.replace(/-/g, '−');
  }

  // Where positions lie in the genome, in words; nothing where that is not known.
  function place(region, first, last) {
    if (!region) return '';
    const [chrom, start, end, strand] = region, back = strand === '-';
    const [from, to] = back ? [end - last, end - first] : [start + first, start + last];
    const numbers = to - from > 1 ? `${from.toLocaleString('en')}–${to.toLocaleString('en')}` : from.toLocaleString('en');
    return ` (${chrom}:${numbers}, ${back ? 'minus' : 'plus'} strand)`;
  }

  function ticks(low, high, count) {
    const rough = (high - low) / Math.max(count, 1);
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((f) => f * power).find((s) => s >= rough * (1 - 1e-9));
    const found = [];
    for (let k = Math.ceil(low / step - 1e-9); k <= Math.floor(high / step + 1e-9); k++) found.push(k * step || 0);  // no minus zero
    return found;
  }

  // The letters at one position as [base, low, high], from the axis outwards.
  function stack(row, position, base, all) {
    if (!all) {
      const value = row.observed[position];
      return base < 0 || value === 0 ? [] : [[base, Math.min(value, 0), Math.max(value, 0)]];
    }
    let above = 0, below = 0;
    return [0, 1, 2, 3]
      .map((b) => [b, row.values[4 * position + b]])
      .sort((p, q) => Math.abs(p[1]) - Math.abs(q[1]))
      .filter(([, value]) => value !== 0)
      .map(([b, value]) => {
        const from = value > 0 ? above : below, to = from + value;
        if (value > 0) above = to; else below = to;
        return [b, Math.min(from, to), Math.max(from, to)];
      });
  }

  // The ends of the y axis, over the whole sequence so that zooming does not change heights.
  function range(row, all) {
    if (row.kind === 'mask') return [0, 1];
    let low = 0, high = 0;
    for (let i = 0; i < row.observed.length; i++) {
      if (all && row.channels === 4) {
        let below = 0, above = 0;
        for (let b = 0; b < 4; b++) {
          const value = row.values[4 * i + b];
          if (value < 0) below += value; else above += value;
        }
        low = Math.min(low, below);
        high = Math.max(high, above);
      } else {
        low = Math.min(low, row.observed[i]);
        high = Math.max(high, row.observed[i]);
      }
    }
    return high > low ? [low, high] : [-1, 1];
  }

  // Whether a value lies within 1.96 standard errors of zero.
  function isUnsure(row, position, base) {
    const k = row.channels === 4 ? 4 * position + base : position;
    return Math.abs(row.values[k]) < 1.96 * row.errors[k];
  }

  function letters(row, figure, y, all) {
    const parts = [], bars = {}, wide = Math.max(figure.step, 0.7);
    const doubted = (i, base) => (row.errors && (all || !row.centred) && isUnsure(row, i, base) ? ' unsure' : '');
    const { first, last, step, x, glyphs, codes } = figure;
    const inset = 0.04 * step;
    for (let i = first; i < last; i++) {
      for (const [base, low, high] of stack(row, i, codes[i], all)) {
        const top = y(high), height = y(low) - top;
        if (height < 0.2) continue;
        if (step < LETTER_WIDTH) {
          const look = `base-${LETTERS[base]}${doubted(i, base)}`;
          bars[look] = `${bars[look] || ''}M${fixed(x(i))} ${fixed(top)}h${fixed(wide)}v${fixed(height)}h${fixed(-wide)}z`;
          continue;
        }
        const letter = LETTERS[base], negative = low < 0;
        const transform = `translate(${fixed(x(i) + inset)} ${fixed(negative ? y(low) : top)}) ` +
          `scale(${((step - 2 * inset) / 100).toFixed(5)} ${((negative ? -height : height) / 100).toFixed(5)})`;
        parts.push(`<path class="letter base-${letter}${doubted(i, base)}" fill-rule="evenodd" d="${glyphs[letter]}" transform="${transform}"/>`);
      }
    }
    for (const [look, d] of Object.entries(bars)) parts.push(`<path class="bar ${look}" d="${d}"/>`);
    return parts.join('');
  }

  function maskBars(row, figure, y) {
    const { first, last, step, x } = figure;
    let d = '';
    for (let i = first; i < last; i++) {
      if (row.observed[i] > 0) {
        const wide = Math.max(step * (step > 3 ? 0.86 : 1), 0.7);
        d += `M${fixed(x(i) + (step - wide) / 2)} ${fixed(y(0))}V${fixed(y(row.observed[i]))}h${fixed(wide)}V${fixed(y(0))}z`;
      }
    }
    return `<path class="mask" d="${d}"/>`;
  }

  function heat(row, figure, top, height, peak) {
    const { first, last, step, x, codes } = figure;
    const tall = height / 4, shades = {}, wide = Math.max(step, 0.7);
    let own = '';
    for (let i = first; i < last; i++) {
      for (let base = 0; base < 4; base++) {
        const value = row.values[4 * i + base];
        const shade = Math.round(SHADES * Math.min(1, Math.abs(value) / peak));
        const key = `${value > 0 ? 'up' : 'down'} ${shade}`;
        if (shade && !(row.errors && isUnsure(row, i, base))) shades[key] = `${shades[key] || ''}M${fixed(x(i))} ${fixed(top + base * tall)}h${fixed(wide)}v${fixed(tall)}h${fixed(-wide)}z`;
        if (step >= 4 && codes[i] === base) {
          const r = Math.min(1.6, step / 5);
          own += `M${fixed(x(i) + step / 2 - r)} ${fixed(top + (base + 0.5) * tall)}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0`;
        }
      }
    }
    const cells = Object.entries(shades).map(([key, d]) => {
      const [sign, shade] = key.split(' ');
      return `<path class="heat-${sign}" fill-opacity="${shade / SHADES}" d="${d}"/>`;
    });
    return `${cells.join('')}<path class="own" d="${own}"/>`;
  }

  function yAxis(row, figure, y, top, height, ends) {
    let marks = '';
    for (const value of ticks(ends[0], ends[1], height > 100 ? 4 : 3)) {
      marks += `<path d="M${LEFT - 4} ${fixed(y(value))}h4"/><text x="${LEFT - 7}" y="${fixed(y(value) + 3.6)}" text-anchor="end">${number(value)}</text>`;
    }
    const right = figure.width - RIGHT;
    return `<g class="axis">${marks}<path d="M${LEFT} ${top}v${height}"/><path d="M${LEFT} ${fixed(y(0))}H${right}"/>` +
      `<text transform="translate(${LEFT - 52} ${top + height / 2}) rotate(-90)" text-anchor="middle" style="font-size:10px">${escape(shorten(row.unit, (height + 20) / 5))}</text></g>`;
  }

  const shorten = (text, most) => (text.length > most ? `${text.slice(0, Math.max(1, Math.floor(most) - 1))}…` : text);

  function track(row, figure, top, height) {
    const all = figure.view === 'all' && row.channels === 4;
    const isHeat = figure.view === 'heat' && row.channels === 4, room = figure.width - LEFT - RIGHT;
    const legend = isHeat ? `red raises, blue lowers, full colour at ±${number(row.peak)} ${row.unit}` : '';
    const note = shorten(noteOf(row, isHeat, figure), (room - 7 * row.title.length) / 5.5 - legend.length);
    const title = `<text class="title" x="${LEFT}" y="${top - 6}">${escape(row.title)}<tspan class="note" font-weight="normal" dx="8">${escape(note)}</tspan></text>`;
    if (isHeat) {
      const names = [0, 1, 2, 3].map((b) => `<text class="base-${LETTERS[b]}" font-weight="bold" x="${LEFT - 7}" y="${top + (b + 0.5) * height / 4 + 4}" text-anchor="end">${LETTERS[b]}</text>`);
      const key = `<text class="note" x="${figure.width - RIGHT}" y="${top - 6}" text-anchor="end">${escape(legend)}</text>`;
      return title + key + names.join('') + clipped(figure, heat(row, figure, top, height, row.peak || 1)) +
        `<g class="axis"><path fill="none" d="M${LEFT} ${top}H${figure.width - RIGHT}v${height}H${LEFT}z"/></g>`;
    }
    const ends = row.ends;
    const y = (value) => top + (ends[1] - value) / (ends[1] - ends[0]) * height;
    const marks = row.missing ? '' : row.kind === 'mask' ? maskBars(row, figure, y) : letters(row, figure, y, all);
    const gap = row.missing ? `<text class="note" x="${figure.width / 2}" y="${top + height / 2}" text-anchor="middle">not explained: see what was dropped</text>` : '';
    return title + clipped(figure, marks) + yAxis(row, figure, y, top, height, ends) + gap;
  }

  function noteOf(row, isHeat, figure) {
    if (row.centred && figure.view === 'observed') return `${row.note}; ${figure.centring}`;
    if (!row.errors) return row.note;
    return isHeat ? `blank: below 1.96 errors; ${row.note}` : `${row.note}; pale: within 1.96 standard errors of zero`;
  }

  const clipped = (figure, marks) => `<g clip-path="url(#${figure.clip})">${marks}</g>`;

  function positions(figure, top) {
    const { start, end, step, x, width, region, bases, first, last } = figure;
    let text = '', y = top + 4;
    if (step >= BASES_WIDTH) {
      for (let i = Math.ceil(start); i < Math.floor(end + 1e-6); i++) {
        const base = LETTERS.includes(bases[i]) ? bases[i] : 'N';
        text += `<text class="base-${base}" x="${fixed(x(i + 0.5))}" y="${y + 9}" text-anchor="middle">${base}</text>`;
      }
      y += 15;
    }
    const tick = (at, label) => `<path d="M${fixed(at)} ${y}v4"/><text x="${fixed(at)}" y="${y + 16}" text-anchor="middle">${label}</text>`;
    const room = width - LEFT - RIGHT;
    let axis = `<path d="M${LEFT} ${y}H${width - RIGHT}"/><text x="${LEFT - 7}" y="${y + 16}" text-anchor="end">bp</text>`;
    for (const value of ticks(first, Math.max(last - 1, first + 1), Math.min(room / 70, last - first))) {
      const at = x(value + 0.5);
      if (Number.isInteger(value) && at >= LEFT && at <= width - RIGHT) axis += tick(at, value.toLocaleString('en'));
    }
    y += 22;
    if (region) {
      const [chrom, from, to, strand] = region, back = strand === '-';
      const ends = back ? [to - last, to - 1 - first] : [from + first, from + last - 1];
      axis += `<path d="M${LEFT} ${y}H${width - RIGHT}"/><text x="${LEFT}" y="${y + 31}">${escape(chrom)} (${back ? 'minus' : 'plus'} strand; from 0)</text>`;
      for (const value of ticks(ends[0], Math.max(ends[1], ends[0] + 1), Math.max(1, Math.min(room / 130, last - first)))) {
        const at = x((back ? to - 1 - value : value - from) + 0.5);
        if (Number.isInteger(value) && at >= LEFT + 20 && at <= width - RIGHT - 36) axis += tick(at, value.toLocaleString('en'));
      }
      y += 36;
    }
    return [`${text}<g class="axis">${axis}</g>`, y];
  }

  // The instances of a report as boxes that point in the direction in which they read; what overlaps goes to another lane.
  function band(held, figure, top) {
    const { start, end, x } = figure, ends = [];
    let body = '', hidden = 0;
    for (const [motif, from, to, reverse, score] of held.rows) {
      if (to <= start || from >= end) continue;
      let lane = ends.findIndex((last) => last <= from);
      if (lane < 0) lane = ends.length;
      if (lane >= LANES) { hidden++; continue; }
      ends[lane] = to;
      const y = top + lane * (BOX + 3), left = x(from), right = x(to), tip = Math.min(6, (right - left) / 2), middle = y + BOX / 2;
      const d = reverse
        ? `M${fixed(right)} ${y}H${fixed(left + tip)}L${fixed(left)} ${middle}L${fixed(left + tip)} ${y + BOX}H${fixed(right)}z`
        : `M${fixed(left)} ${y}H${fixed(right - tip)}L${fixed(right)} ${middle}L${fixed(right - tip)} ${y + BOX}H${fixed(left)}z`;
      const name = held.motifs[motif], [low, high] = [Math.max(left, LEFT), Math.min(right, figure.width - RIGHT)];
      const room = (high - low - tip) / 6.4, fits = room >= Math.min(name.length, 3);
      const words = `${name}, positions ${from} to ${to}, ${reverse ? 'minus' : 'plus'} strand, score ${number(score)}`;
      body += `<g><title>${escape(words)}</title><path class="instance motif-${motif % PALETTE}" d="${d}"/>` +
        (fits ? `<text class="instance-name" x="${fixed((low + high + (reverse ? tip : -tip)) / 2)}" y="${y + BOX - 4}" text-anchor="middle">${escape(shorten(name, room))}</text>` : '') + '</g>';
    }
    const note = hidden ? `${hidden} more overlap these` : ends.length ? '' : 'none in this window';
    const title = `<text class="title" x="${LEFT}" y="${top - 6}">${escape(held.label)} · instances<tspan class="note" font-weight="normal" dx="8">${note}</tspan></text>`;
    return [`${title}${clipped(figure, body)}`, ends.length * (BOX + 3)];
  }

  // The logo of a window. figure: width, start, end, bases, codes, region, bands, rows, view, glyphs, and alone = {heading, safe} for a file.
  function logo(figure) {
    const room = figure.width - LEFT - RIGHT;
    figure.step = room / (figure.end - figure.start);
    figure.first = Math.max(0, Math.floor(figure.start));
    figure.last = Math.min(figure.bases.length, Math.ceil(figure.end));
    figure.x = (position) => LEFT + (position - figure.start) * figure.step;
    figure.clip = 'plot-area';
    let y = figure.alone ? 24 : 0, body = '';
    const tall = figure.rows.length > 4 ? 84 : figure.rows.length > 2 ? 108 : 150;
    for (const held of figure.bands) {
      const [drawn, height] = band(held, figure, y + 20);
      body += drawn;
      y += 20 + height;
    }
    for (const row of figure.rows) {
      const height = figure.view === 'heat' && row.channels === 4 ? 72 : row.kind === 'mask' ? Math.min(tall, 72) : tall;
      y += 26;
      body += track(row, figure, y, height);
      y += height + 4;
    }
    const [axis, bottom] = positions(figure, y + 2);
    const label = `Logo of ${figure.rows.map((row) => row.title).join('; ')}, positions ${figure.first} to ${figure.last}`;
    const alone = figure.alone
      ? `<style>${LIGHT}${figure.alone.safe ? SAFE : ''}</style><rect width="100%" height="100%" fill="#fff"/><text class="title" x="${LEFT}" y="18">${escape(figure.alone.heading)}</text>` : '';
    return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${figure.width} ${bottom}" width="${figure.width}" height="${bottom}" font-size="11" role="img" aria-label="${escape(label)}">` +
      `${alone}<defs><clipPath id="plot-area"><rect x="${LEFT}" y="0" width="${room}" height="${bottom}"/></clipPath></defs>${body}${axis}<path class="cross" fill-opacity="0.08" d=""/></svg>`;
  }

  // The whole sequence, one thin strip a track: in each pixel the value of largest size.
  function overview(rows, length, width, window) {
    const room = width - LEFT - RIGHT, tall = 26, gap = 4;
    let body = '';
    rows.forEach((row, number_) => {
      const top = 2 + number_ * (tall + gap), bins = Math.min(Math.floor(room), length), wide = room / bins;
      const peak = row.observed.reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1;
      const signed = row.observed.some((value) => value < 0);
      const zero = signed ? top + tall / 2 : top + tall, scale = (signed ? tall / 2 : tall) / peak;
      const marks = ['', ''];
      for (let bin = 0; bin < bins; bin++) {
        let value = 0;
        for (let i = Math.floor(bin * length / bins); i < Math.ceil((bin + 1) * length / bins); i++) {
          if (Math.abs(row.observed[i]) > Math.abs(value)) value = row.observed[i];
        }
        if (value) marks[value < 0 ? 1 : 0] += `M${fixed(LEFT + bin * wide)} ${fixed(zero)}v${fixed(-value * scale)}h${fixed(wide)}v${fixed(value * scale)}z`;
      }
      body += `<rect x="${LEFT}" y="${top}" width="${room}" height="${tall}" class="ground"/><path class="up" d="${marks[0]}"/><path class="down" d="${marks[1]}"/>` +
        `<g class="small"><title>${escape(row.title)}</title><text x="${LEFT - 7}" y="${top + 11}" text-anchor="end">${escape(shorten(row.label, 14))}</text>` +
        `<text x="${LEFT - 7}" y="${top + 22}" text-anchor="end">${escape(shorten(row.targetName, 14))}</text></g>`;
    });
    const height = 2 + rows.length * (tall + gap);
    const x = (position) => LEFT + position / length * room;
    const [a, b] = [x(window[0]), x(window[1])];
    body += `<path class="shade" d="M${LEFT} 0H${fixed(a)}V${height - 2}H${LEFT}zM${fixed(b)} 0H${width - RIGHT}V${height - 2}H${fixed(b)}z"/>` +
      `<rect class="window" x="${fixed(a)}" y="0.5" width="${fixed(Math.max(b - a, 2))}" height="${height - 3}" rx="2"/>` +
      `<path class="grip" d="M${fixed(a)} ${height / 2 - 8}v14M${fixed(b)} ${height / 2 - 8}v14"/>`;
    return `<svg viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-size="11" role="img" aria-label="Overview of the whole sequence, the window is positions ${Math.round(window[0])} to ${Math.round(window[1])}">${body}</svg>`;
  }

  return { LEFT, RIGHT, LETTERS, escape, fixed, number, place, range, shorten, ticks, logo, overview };
})();
