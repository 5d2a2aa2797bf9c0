/* A histogram; heights are logarithmic, as most activations are close to 0. */
const histogram = (unit, threshold) => {
  const [low, high, counts] = unit.h;
  const width = 340, height = 104, bar = width / counts.length;
  const most = Math.log1p(Math.max(...counts, 1)), at = value => (value - low) / (high - low || 1) * width;
  const total = counts.reduce((sum, count) => sum + count, 0) || 1;
  const parts = counts.map((count, index) => {
    const from = low + (high - low) * index / counts.length, to = low + (high - low) * (index + 1) / counts.length;
    const tall = count ? Math.max(1.5, Math.log1p(count) / most * height) : 0;
    const side = (from + to) / 2 < 0 ? 'n' : 'p';
    return [svg('rect', { x: (index * bar + .5).toFixed(1), y: (height - tall).toFixed(1), width: Math.max(bar - 1, .5).toFixed(1), height: tall.toFixed(1), class: side }),
      svg('rect', { x: (index * bar).toFixed(1), y: 0, width: bar.toFixed(1), height, class: 'hit', 'data-t': number(from) + ' to ' + number(to) + ': ' + whole(count) + ' (' + share(count / total) + ')' })];
  });
  const marks = [];
  const label = (value, anchor, text) => marks.push(svg('text', { x: at(value).toFixed(1), y: height + 14, 'text-anchor': anchor }, text || number(value)));
  label(low, 'start'); label(high, 'end');
  if (low < 0 && high > 0 && at(0) > 46 && at(0) < width - 46) label(0, 'middle');
  if (low < 0 && high > 0) marks.push(svg('path', { class: 'axis', d: 'M' + at(0).toFixed(1) + ' 0V' + height }));
  if (threshold && threshold > low && threshold < high) marks.push(svg('path', { class: 'mid', d: 'M' + at(threshold).toFixed(1) + ' 0V' + height }));
  return svg('svg', { viewBox: '0 -2 ' + width + ' ' + (height + 18), role: 'img', 'aria-label': 'Histogram of activations' },
    svg('path', { class: 'axis', d: 'M0 ' + height + 'H' + width }), parts, marks);
};

/* Mean activation along the context. What lies at the left-out positions may be far larger and does not set the scale. */
const positions = unit => {
  const means = unit.p.map(pair => pair[0] ?? 0), first = Math.ceil(D.skip / D.bin);
  const width = 340, height = 84, bar = width / means.length;
  const scaled = means.slice(first).length ? means.slice(first) : means;
  const high = Math.max(0, ...scaled), low = Math.min(0, ...scaled), per = height / (high - low || 1);
  const zero = high * per;
  const parts = means.map((mean, index) => {
    const cut = Math.min(high, Math.max(low, mean)), size = Math.max(Math.abs(cut) * per, .8);
    const last = index * D.bin + D.bin - 1, name = D.bin > 1 ? index * D.bin + '–' + last : String(last);
    const out = cut !== mean ? ', beyond this scale' : '';
    return [svg('rect', { x: (index * bar + bar * .08).toFixed(2), y: (cut >= 0 ? zero - size : zero).toFixed(1), width: (bar * .84).toFixed(2), height: size.toFixed(1), class: index < first ? 'q' : cut < 0 ? 'n' : 'p' }),
      svg('rect', { x: (index * bar).toFixed(2), y: 0, width: bar.toFixed(2), height, class: 'hit', 'data-t': 'position ' + name + ': ' + number(mean) + out + ' · active ' + share(unit.p[index][1]) })];
  });
  const end = means.length * D.bin - 1;
  return svg('svg', { viewBox: '0 -2 ' + width + ' ' + (height + 18), role: 'img', 'aria-label': 'Mean activation by position' }, parts,
    svg('path', { class: 'axis', d: 'M0 ' + zero.toFixed(1) + 'H' + width }),
    svg('text', { x: 0, y: height + 14 }, '0'), svg('text', { x: width, y: height + 14, 'text-anchor': 'end' }, String(end)),
    svg('text', { x: width / 2, y: height + 14, 'text-anchor': 'middle' }, 'position in the context'));
};

/* A bar between two values of a range, as CSS variables. */
const span = (value, low, high) => {
  const width = high - low || 1, from = Math.min(value, 0), to = Math.max(value, 0);
  return { '--from': (100 * (from - low) / width).toFixed(1) + '%', '--width': (100 * (to - from) / width).toFixed(1) + '%' };
};

/* Means by language or genre, the largest first. */
const labels = (names, values, what) => {
  const rows = names.map(([name, tokens], index) => ({ name, tokens, mean: values[index]?.[0], rate: values[index]?.[1] }))
    .filter(row => row.mean !== null && row.mean !== undefined && row.tokens > 0).sort((a, b) => b.mean - a.mean);
  if (!rows.length) return el('p', { class: 'none' }, 'No ' + what + ' labels in this corpus.');
  const means = rows.map(row => row.mean), high = Math.max(0, ...means), low = Math.min(0, ...means);
  return el('dl', { class: 'labels' }, rows.slice(0, 12).map(row => [
    el('dt', null, el('bdi', null, row.name)),
    el('dd', { class: 'track', 'data-t': row.name + ': mean ' + number(row.mean) + ', active at ' + share(row.rate) + ' of ' + whole(row.tokens) + ' tokens' },
      el('i', { class: row.mean < 0 ? 'n' : null, vars: span(row.mean, low, high) })),
    el('dd', null, number(row.mean)), el('dd', { class: 'rate' }, share(row.rate))]));
};

/* Vocabulary tokens with a number each. */
const tokenList = (title, entries, most, count) => {
  return el('div', null, el('h4', null, title), el('ol', { class: 'list' }, entries.map(([token, value, times]) =>
    el('li', { class: value < 0 ? 'n' : null, vars: { '--a': (Math.abs(value) / most).toFixed(3) }, 'data-t': number(value) + (count && times ? ' on average of ' + whole(times) + ' occurrences' : '') },
      el('bdi', { class: 'tok' }, edges(D.tokens[token])), el('span', null, number(value))))));
};

/* Spaces at the edges of a token shown as dots. */
const edges = text => text.replace(/^ +| +$/g, spaces => '·'.repeat(spaces.length));

/* Tokens coloured by their activation. */
const DIGITS = new Map([...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'].map((digit, value) => [digit, value]));
const RTL = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff]/g, LETTER = /\p{L}/gu;
const strip = (unit, ids, scale, code, peak) => {
  let letters = 0, turned = 0;
  const tokens = ids.map((id, index) => {
    const text = D.tokens[id];
    const step = DIGITS.get(code[2 * index]) * 64 + DIGITS.get(code[2 * index + 1]) - 2048;
    const value = +(step / 2047 * scale).toPrecision(3), strength = unit.m ? Math.max(-1, Math.min(1, value / unit.m)) : 0;
    letters += (text.match(LETTER) || []).length; turned += (text.match(RTL) || []).length;
    return el('bdi', { class: (strength < 0 ? 't n' : 't') + (index === peak ? ' peak' : ''), 'data-t': number(value) + ' · ' + edges(text),
      vars: Math.abs(strength) > .012 ? { '--a': Math.abs(strength).toFixed(2) } : {} }, text);
  });
  return el('p', { class: 'strip', dir: turned > letters / 2 ? 'rtl' : 'ltr' }, tokens);
};
