'use strict';
(() => {
  const root = document.documentElement;
  const store = { get: () => { try { return localStorage.getItem('golgi-theme'); } catch { return null; } },
                  set: v => { try { localStorage.setItem('golgi-theme', v); } catch { /* private window */ } } };
  if (store.get()) root.dataset.theme = store.get();
  document.getElementById('theme').addEventListener('click', () => {
    const dark = root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
    root.dataset.theme = dark ? 'light' : 'dark';
    store.set(root.dataset.theme);
  });

  const copy = async text => {
    try { await navigator.clipboard.writeText(text); } catch {
      const area = Object.assign(document.createElement('textarea'), { value: text });
      document.body.append(area); area.select(); document.execCommand('copy'); area.remove();
    }
  };
  const flash = (button, text) => {
    const before = button.textContent;
    button.textContent = text; setTimeout(() => { button.textContent = before; }, 1200);
  };
  document.addEventListener('click', event => {
    const button = event.target.closest('button');
    if (!button) return;
    if (button.dataset.copy) {
      copy(button.dataset.copy); button.classList.add('done'); setTimeout(() => button.classList.remove('done'), 1200);
    } else if (button.classList.contains('numbers')) {
      const on = button.closest('figure').classList.toggle('numbered');
      button.setAttribute('aria-pressed', on);
    } else if (button.classList.contains('csv')) {
      const rows = [...button.closest('.table').querySelectorAll('tr')].filter(row => !row.hidden);
      const quote = text => /[",\n]/.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text;
      const line = row => [...row.cells].map(cell => quote(cell.dataset.v ?? cell.textContent)).join(',');
      copy(rows.map(line).join('\n')); flash(button, 'Copied');
    } else if (button.closest('.sortable th')) {
      sort(button.closest('th'));
    }
  });

  const sort = head => {
    const table = head.closest('table'), column = head.cellIndex, numeric = head.classList.contains('num');
    const up = head.getAttribute('aria-sort') === (numeric ? 'descending' : 'none') ||
               (!numeric && head.getAttribute('aria-sort') !== 'ascending');
    for (const other of head.parentNode.cells) other.removeAttribute('aria-sort');
    head.setAttribute('aria-sort', up ? 'ascending' : 'descending');
    const key = row => numeric ? parseFloat(row.cells[column].dataset.v ?? 'NaN') : row.cells[column].textContent;
    const order = (a, b) => {
      const [x, y] = [key(a), key(b)];
      if (!numeric) return up ? x.localeCompare(y, undefined, { numeric: true }) : y.localeCompare(x, undefined, { numeric: true });
      if (isNaN(x) || isNaN(y)) return isNaN(x) - isNaN(y);
      return up ? x - y : y - x;
    };
    const body = table.tBodies[0];
    body.append(...[...body.rows].sort(order));
  };

  for (const input of document.querySelectorAll('.table input')) {
    input.addEventListener('input', () => {
      const table = input.closest('.table'), wanted = input.value.toLowerCase();
      let shown = 0;
      for (const row of table.querySelectorAll('tbody tr')) {
        row.hidden = !row.textContent.toLowerCase().includes(wanted);
        shown += !row.hidden;
      }
      table.querySelector('.count').textContent = shown + ' rows';
    });
  }

  const tip = document.getElementById('tip');
  document.addEventListener('mousemove', event => {
    const over = event.target.closest && event.target.closest('[data-t]');
    tip.hidden = !over;
    if (!over) return;
    tip.textContent = over.dataset.t;
    const box = tip.getBoundingClientRect();
    tip.style.left = Math.min(event.clientX + 14, innerWidth - box.width - 8) + 'px';
    tip.style.top = (event.clientY + 20 + box.height > innerHeight ? event.clientY - box.height - 10 : event.clientY + 18) + 'px';
  });
  document.addEventListener('mouseleave', () => { tip.hidden = true; });
})();
