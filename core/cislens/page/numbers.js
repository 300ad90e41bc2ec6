// Turns the page's rounded numbers into what is drawn. No state: what comes out depends on the arguments alone.
const Numbers = (() => {
  // Whole numbers of so many bits, times their step.
  function unpack(scale, text, bits) {
    const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    const view = new DataView(bytes.buffer), size = bits / 8;
    const read = (_, i) => (size === 2 ? view.getInt16(2 * i, true) : view.getInt8(i)) * scale;
    return Float64Array.from({ length: bytes.length / size }, read);
  }

  function observedOf(track, values, codes) {
    if (track.channels === 1) return values;
    return Float64Array.from(codes, (base, i) => {
      if (base < 0) return 0;
      const mean = track.centred ? (values[4 * i] + values[4 * i + 1] + values[4 * i + 2] + values[4 * i + 3]) / 4 : 0;
      return values[4 * i + base] - mean;
    });
  }

  // The tracks of some targets at one sequence, a row each; of an error that is not known the number is negative.
  function rowsOf(data, sequence, targets, codes) {
    return data.tracks.filter((track) => targets.includes(track.target)).map((track) => {
      const text = track.data[sequence], errors = track.errors && track.errors[sequence];
      const values = text === null ? new Float64Array(data.length * track.channels) : unpack(track.scales[sequence], text, data.bits);
      const target = data.targets[track.target];
      return {
        ...track, values, missing: text === null, observed: observedOf(track, values, codes),
        errors: errors ? unpack(errors[0], errors[1], 8) : null,
        title: `${track.label} · ${target}${track.kind === 'mask' ? ' · mask' : ''}`,
        targetName: target,
        peak: values.reduce((most, value) => Math.max(most, Math.abs(value)), 0),
      };
    });
  }

  // Gives each row the ends of its y axis: its own, or those of all rows of its kind and unit.
  function setEnds(rows, range, all, share) {
    const shared = {};
    for (const row of rows) {
      row.ends = range(row, all);
      const key = `${row.kind} ${row.unit}`, known = shared[key] || row.ends;
      shared[key] = [Math.min(known[0], row.ends[0]), Math.max(known[1], row.ends[1])];
    }
    if (share) for (const row of rows) row.ends = shared[`${row.kind} ${row.unit}`];
  }

  // The window that holds most importance, each track counted in shares of its own largest value.
  function peakWindow(rows, length, width) {
    const importance = new Float64Array(length);
    for (const row of rows) {
      const peak = row.observed.reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1;
      row.observed.forEach((value, i) => { importance[i] += Math.abs(value) / peak; });
    }
    let sum = 0, best = -1, start = 0;
    for (let i = 0; i < length; i++) {
      sum += importance[i] - (i >= width ? importance[i - width] : 0);
      if (i >= width - 1 && sum > best) [best, start] = [sum, i - width + 1];
    }
    return [start, start + width];
  }

  return { unpack, rowsOf, setEnds, peakWindow };
})();
