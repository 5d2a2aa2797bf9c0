const measureIndex = new Map(D.measures.map((measure, index) => [measure[0], index]));
const measured = (unit, name) => unit.s[measureIndex.get(name)]?.[0] ?? null;
const shown = (measure, value) => measure[4] ? share(value) : number(value);

const card = (title, note, ...children) => el('section', { class: 'card' }, el('div', { class: 'head' }, el('h3', null, title), note), children);

const families = unit => unit.f.length ? el('ul', { class: 'families' }, unit.f.map(([family, kind, score, threshold, evidence]) =>
  el('li', null, el('b', null, family), el('i', null, kind), el('p', null, el('bdi', null, evidence)),
    el('small', null, 'score ' + number(score) + ', threshold ' + number(threshold))))) : null;

const explanations = unit => unit.e.length ? el('ul', { class: 'families' }, unit.e.map(([text, by, judge, scores]) =>
  el('li', null, el('b', null, 'explanation'), el('i', null, by), el('p', null, el('bdi', null, text)),
    el('small', null, scores.filter(score => score[1] !== null).map(([name, score, chance]) =>
      name + ' ' + number(score) + (chance === null ? '' : ' (others ' + number(chance) + ')')).join(' · ') + (judge ? ' · judged by ' + judge : ''))))) : null;

/* Each statistic with its percentile among the units of its kind and layer: a bar from the middle, so that what is unusual stands out. */
const statistics = unit => {
  const row = (measure, [value, percentile]) => {
    const at = percentile === null || percentile === undefined ? null : percentile;
    const low = at !== null && at < 50;
    return el('tr', null, el('th', { scope: 'row', 'data-t': measure[2] }, measure[1]),
      at === null ? el('td', { class: 'pct' }) : el('td', { class: 'pct', 'data-t': 'more than ' + number(at) + ' % of its layer' },
        el('span', null, el('i', { class: low ? 'n' : null, vars: { '--from': Math.min(at, 50) + '%', '--width': Math.abs(at - 50) + '%' } }),
          el('u', { class: low ? 'n' : null, vars: { '--at': at + '%' } }))),
      el('td', null, shown(measure, value)));
  };
  const group = (title, weights) => {
    const rows = D.measures.map((measure, index) => measure[3] === weights && unit.s[index] ? row(measure, unit.s[index]) : null).filter(Boolean);
    return rows.length ? el('tbody', null, el('tr', { class: 'group' }, el('th', { colspan: 3, scope: 'colgroup' }, title)), rows) : null;
  };
  return card('Statistics', el('small', null, 'bar: percentile in layer ' + unit.l),
    el('table', { class: 'stats' }, group('Over the corpus', false), group('From the weights', true)));
};

const FIRST = 6, OF_BAND = 2;
const examples = unit => {
  if (!unit.x.length) return card('Where it is active', null, el('p', { class: 'none' }, 'The atlas holds no examples of this unit.'));
  const negative = example => (Math.min(...[...example[5]].filter((_, at) => at % 2 === 0).map(digit => DIGITS.get(digit))) - 31.5) / 32 * example[4];
  const signed = unit.x.some(example => negative(example) < -.15 * unit.m);
  const legend = el('span', { class: 'legend' }, signed ? number(-unit.m) : '0', el('i', { class: signed ? 'key signed' : 'key' }), number(unit.m) + (unit.x.some(example => example[1] > 1.02 * unit.m) ? ' and more' : ''));
  const box = card('Where it is active', legend);
  let hidden = 0;
  D.bands.forEach((name, band) => {
    const inside = unit.x.filter(example => example[0] === band);
    if (!inside.length) return;
    const values = inside.map(example => example[1]), few = band ? OF_BAND : FIRST;
    const range = number(Math.min(...values)) + ' to ' + number(Math.max(...values));
    box.append(el('div', { class: 'band' }, el('h4', { 'data-t': band ? 'between these quantiles of all its activations' : 'the strongest activations, one per context; by size where the sign does not count as activity' }, name), el('small', null, range)));
    inside.forEach(([, value, peak, ids, scale, code, label, document, position], index) => {
      if (index >= few) hidden += 1;
      box.append(el('div', { class: index < few ? 'example' : 'example more' }, el('b', null, number(value)), strip(unit, ids, scale, code, peak),
        el('small', { 'data-t': document + '\nposition ' + position }, el('bdi', null, label || document))));
    });
  });
  if (hidden) {
    const text = () => box.classList.contains('all') ? 'Show fewer' : 'Show ' + hidden + ' more';
    const button = el('button', { type: 'button' }, text());
    button.addEventListener('click', () => { box.classList.toggle('all'); button.textContent = text(); });
    box.querySelector('.head').append(button);
  }
  if (unit.cut) box.append(el('p', { class: 'none' }, unit.cut + ' further examples are in the atlas; they were left out to keep this file small.'));
  return box;
};

const near = (title, list, sections) => el('div', null, el('h4', null, title), list.length ? el('ol', { class: 'near' }, list.map(([name, value]) =>
  el('li', null, sections.has(name) ? el('a', { href: '#' + name }, name) : name, el('small', null, number(value))))) : el('p', { class: 'none' }, 'not known'));

const triggers = unit => {
  if (!unit.t.length) return null;
  const row = ([text, n, fired, occurs, error]) => el('tr', null, el('td', null, el('bdi', { class: 'tok' }, edges(text))), el('td', null, n),
    el('td', { 'data-t': error ? 'may be too low by at most ' + error : null }, whole(fired)), el('td', null, whole(occurs)), el('td', null, occurs ? share(Math.min(1, fired / occurs)) : '–'));
  return card('Triggers', el('small', null, 'n-grams at whose end it fires'), el('table', { class: 'triggers' },
    el('thead', null, el('tr', null, ['n-gram', 'n', 'fired', 'occurs', 'share'].map(head => el('th', { scope: 'col' }, head)))), el('tbody', null, unit.t.map(row))));
};

const draw = (unit, sections) => {
  const address = el('button', { type: 'button', class: 'copy mono', title: 'Copy the address' }, unit.a);
  address.addEventListener('click', () => { copy(unit.a); address.classList.add('done'); setTimeout(() => address.classList.remove('done'), 1200); });
  const step = (sign, by, title) => {
    const link = el('a', { href: '#' + unit.n, title, 'aria-label': title }, sign);
    link.addEventListener('click', event => { event.preventDefault(); go(by, unit.n); });
    return link;
  };
  const tokens = (title, note, first, second, names, count) => {
    if (!first.length && !second.length) return null;
    const most = Math.max(...[...first, ...second].map(entry => Math.abs(entry[1])), 1e-9);
    return card(title, el('small', null, note),
      el('div', { class: 'two keep' }, tokenList(names[0], first, most, count), tokenList(names[1], second, most, count)));
  };
  return el('article', { class: 'unit', id: unit.n },
    el('header', null, el('h2', null, unit.n), el('span', { class: 'kind' }, unit.k + ' · layer ' + unit.l), address,
      D.units.length > 1 ? el('div', { class: 'step' }, step('↑', -1, 'The unit before'), step('↓', 1, 'The next unit')) : null),
    explanations(unit),
    families(unit),
    el('div', { class: 'columns' },
      el('div', null,
        unit.h ? card('Activations', el('small', null, 'logarithmic heights'), histogram(unit, measured(unit, 'active_threshold'))) : null,
        statistics(unit),
        tokens('Mean activation by token', 'tokens of the vocabulary', unit.top, unit.bot, ['highest', 'lowest'], true),
        tokens('Effect on the output', 'W_U · w_out', unit.pro, unit.sup, ['promoted', 'suppressed'], false)),
      el('div', { class: 'acts' },
        examples(unit),
        card('Profiles', el('small', null, 'mean activation, and the share of tokens at which it is active'), el('div', { class: 'three' },
          el('div', null, el('h4', null, 'position'), unit.p.length ? positions(unit) : el('p', { class: 'none' }, 'not known')),
          el('div', null, el('h4', null, 'language'), labels(D.languages, unit.lg, 'language')),
          el('div', null, el('h4', null, 'genre'), labels(D.genres, unit.ge, 'genre')))),
        triggers(unit),
        card('Nearest units', null, el('div', { class: 'two' }, near('by output vector (cosine)', unit.nw, sections),
          near('by activation (correlation' + (D.null === null ? ')' : '; shuffled: ' + number(D.null) + ')'), unit.nc, sections))))));
};
