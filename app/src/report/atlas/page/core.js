const root = document.documentElement;
const D = JSON.parse(document.getElementById('data').textContent);

/* Elements. Texts are only ever set as texts. */
const fill = (node, attributes, children) => {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === 'vars') for (const [key, one] of Object.entries(value)) node.style.setProperty(key, one);
    else node.setAttribute(name, value === true ? '' : value);
  }
  node.append(...children.flat(Infinity).filter(child => child !== null && child !== undefined && child !== false));
  return node;
};
const el = (name, attributes, ...children) => fill(document.createElement(name), attributes, children);
const svg = (name, attributes, ...children) => fill(document.createElementNS('http://www.w3.org/2000/svg', name), attributes, children);

/* Numbers: four digits, a real minus sign. */
const number = value => {
  if (value === null || value === undefined) return '–';
  const size = Math.abs(value);
  let text;
  if (size !== 0 && (size < 1e-4 || size >= 1e6)) text = value.toExponential(2).replace(/\.?0+e/, 'e').replace('e+', 'e');
  else if (Number.isInteger(value)) text = String(value);
  else text = String(+value.toFixed(Math.min(7, Math.max(0, (size >= 1000 ? 3 : 2) - Math.floor(Math.log10(size))))));
  return text.replace('-', '−');
};
const share = value => value === null ? '–' : value > 0 && value < 0.0001 ? '<0.01 %' : number(+(100 * value).toPrecision(3)) + ' %';
const whole = value => String(value).replace(/\B(?=(\d{3})+(?!\d))/g, '\u202f');

/* Light and dark. */
const store = { get: () => { try { return localStorage.getItem('golgi-theme'); } catch { return null; } },
                set: value => { try { localStorage.setItem('golgi-theme', value); } catch { /* a private window */ } } };
if (store.get()) root.dataset.theme = store.get();
document.getElementById('theme').addEventListener('click', () => {
  const dark = root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  root.dataset.theme = dark ? 'light' : 'dark';
  store.set(root.dataset.theme);
});

/* What lies under the pointer. */
const tip = document.getElementById('tip');
const showTip = event => {
  const over = event.target.closest && event.target.closest('[data-t]');
  tip.hidden = !over;
  if (!over) return;
  tip.textContent = over.dataset.t;
  const box = tip.getBoundingClientRect();
  const below = event.clientY + 20 + box.height <= innerHeight;
  tip.style.left = Math.max(4, Math.min(event.clientX + 14, innerWidth - box.width - 8)) + 'px';
  tip.style.top = (below ? event.clientY + 18 : event.clientY - box.height - 10) + 'px';
};
document.addEventListener('pointermove', showTip);
document.addEventListener('pointerdown', showTip);
document.addEventListener('scroll', () => { tip.hidden = true; }, { passive: true });

const copy = async text => {
  try { await navigator.clipboard.writeText(text); } catch {
    const area = el('textarea');
    area.value = text;
    document.body.append(area); area.select(); document.execCommand('copy'); area.remove();
  }
};
