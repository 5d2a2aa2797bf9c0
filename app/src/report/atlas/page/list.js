const page = document.getElementById('units'), aside = document.querySelector('aside');
const sections = new Map(D.units.map(unit => [unit.n, null]));
for (const unit of D.units) sections.set(unit.n, draw(unit, sections));
if (D.query) document.querySelector('.subtitle').after(el('p', { class: 'query mono' }, D.query));
for (const warning of D.warnings) page.before(el('p', { class: 'note' }, el('bdi', null, warning)));
page.append(...sections.values());
page.after(el('section', { class: 'provenance' }, el('h2', null, 'Provenance'), el('dl', null,
  D.provenance.map(([label, value]) => el('div', null, el('dt', null, label), el('dd', null, el('bdi', null, value)))))));

/* The list at the side: search, sort, and where one is. */
let order = D.units.slice();
const search = el('input', { type: 'search', placeholder: 'Search units and texts', title: 'Addresses, families, tokens and texts; the key / comes here', 'aria-label': 'Search' });
const by = el('select', { 'aria-label': 'Sort by' }, el('option', { value: '' }, 'as asked for'), el('option', { value: 'name' }, 'address'),
  D.measures.map((measure, index) => D.units.some(unit => unit.s[index]) ? el('option', { value: index }, measure[1]) : null));
const turn = el('button', { type: 'button', title: 'Turn the order', 'aria-label': 'Turn the order' }, '↓');
const count = el('span', { role: 'status' }), what = el('span');
const entries = new Map(D.units.map(unit => [unit.n, el('li', null, el('a', { href: '#' + unit.n },
  el('b', null, unit.n), el('span', { class: 'value' }), el('small', null, unit.f.map(family => family[0]).join(', ') || unit.k)))]));
const list = el('ol');
aside.append(el('div', { class: 'tools' }, search, by, turn), el('div', { class: 'count' }, count, what), list);
const none = el('p', { class: 'none', hidden: true }, 'Nothing matches.');
page.append(none);

const texts = new Map();
const text = unit => {
  if (!texts.has(unit.n)) {
    const tokens = ids => ids.map(id => D.tokens[id]).join('');
    const parts = [unit.n, unit.a, unit.k, ...unit.f.flatMap(family => [family[0], family[1], family[4]]), ...unit.t.map(one => one[0]),
      ...[unit.top, unit.bot, unit.pro, unit.sup].flatMap(entries => entries.map(entry => D.tokens[entry[0]])),
      ...unit.x.flatMap(example => [tokens(example[3]), example[6], example[7]])];
    texts.set(unit.n, parts.join('\n').toLowerCase());
  }
  return texts.get(unit.n);
};

const arrange = () => {
  const down = turn.textContent === '↓', key = by.value;
  order = D.units.slice();
  const compare = (a, b) => {
    if (key === 'name') return a.n.localeCompare(b.n, 'en', { numeric: true });
    const [x, y] = [a.s[key]?.[0] ?? null, b.s[key]?.[0] ?? null];
    if (x === null || y === null) return (x === null) - (y === null);
    return down ? y - x : x - y;
  };
  if (key !== '') order.sort(compare);
  if (!down && (key === '' || key === 'name')) order.reverse();
  list.replaceChildren(...order.map(unit => entries.get(unit.n)));
  page.append(...order.map(unit => sections.get(unit.n)));
  const measure = key === '' || key === 'name' ? D.measures[measureIndex.get('frac_active')] : D.measures[key];
  what.textContent = measure[1];
  for (const unit of D.units) {
    const value = entries.get(unit.n).querySelector('.value');
    value.textContent = shown(measure, measured(unit, measure[0]));
  }
  filter();
};
const filter = () => {
  const wanted = search.value.trim().toLowerCase();
  let found = 0;
  for (const unit of D.units) {
    const fits = !wanted || text(unit).includes(wanted);
    sections.get(unit.n).hidden = entries.get(unit.n).hidden = !fits;
    found += fits;
  }
  none.hidden = found > 0;
  count.textContent = (found === D.units.length ? '' : found + ' of ') + D.units.length + (D.units.length === 1 ? ' unit' : ' units');
};
const go = (steps, from) => {
  const visible = order.filter(unit => !sections.get(unit.n).hidden), at = visible.findIndex(unit => unit.n === from);
  const to = visible[Math.min(visible.length - 1, Math.max(0, at + steps))];
  if (to) location.hash = to.n;
};
search.addEventListener('input', filter);
by.addEventListener('change', arrange);
turn.addEventListener('click', () => { turn.textContent = turn.textContent === '↓' ? '↑' : '↓'; arrange(); });
document.addEventListener('keydown', event => {
  if (event.key === '/' && !/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) { event.preventDefault(); search.focus(); }
  if (event.key === 'Escape' && event.target === search) { search.value = ''; filter(); }
});

let current = null;
const here = () => {
  let best = null;
  for (const unit of order) {
    const section = sections.get(unit.n);
    if (section.hidden) continue;
    if (best === null || section.getBoundingClientRect().top <= 130) best = unit.n;
    else break;
  }
  if (best === current) return;
  if (current) entries.get(current).firstChild.removeAttribute('aria-current');
  current = best;
  if (!best) return;
  entries.get(best).firstChild.setAttribute('aria-current', 'true');
  const entry = entries.get(best), top = entry.offsetTop - list.offsetTop;
  if (top < list.scrollTop || top + entry.offsetHeight > list.scrollTop + list.clientHeight) list.scrollTop = top - list.clientHeight / 3;
};
let waiting = false;
const soon = () => {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => { waiting = false; here(); });
};
addEventListener('scroll', soon, { passive: true });
if (D.units.length < 2) { aside.remove(); document.querySelector('main').style.gridTemplateColumns = 'minmax(0,1fr)'; }
arrange();
if (location.hash) { const target = document.getElementById(decodeURIComponent(location.hash.slice(1))); if (target) target.scrollIntoView(); }
here();
