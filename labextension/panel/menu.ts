import { element, icon } from '../views/dom.ts';

export interface MenuItem {
  readonly label: string;
  readonly icon?: string;
  readonly disabled?: boolean;
  /** Begins a new group. */
  readonly group?: boolean;
  choose(): void;
}

/** Open a menu at a point of the page; the focus goes back to `back` when it closes. */
export function openMenu(label: string, items: readonly MenuItem[], at: { x: number; y: number }, back: HTMLElement): void {
  const menu = element('div', 'mlw-panel-colours mlw-menu', { role: 'menu', 'aria-label': label, 'data-lm-suppress-shortcuts': 'true' });
  const close = (): void => {
    document.removeEventListener('pointerdown', outside, true);
    window.removeEventListener('blur', close);
    if (!menu.isConnected) return;
    menu.remove();
    back.focus({ preventScroll: true });
  };
  const outside = (event: Event): void => {
    if (!menu.contains(event.target as Node)) close();
  };
  const buttons = items.map((item) => {
    const node = element('button', 'mlw-menu-item', { type: 'button', role: 'menuitem', tabindex: '-1' });
    node.append(item.icon ? icon(item.icon) : element('span', 'mlw-icon'), element('span', '', {}, item.label));
    if (item.group) node.classList.add('mlw-group');
    node.disabled = item.disabled ?? false;
    node.addEventListener('click', () => {
      close();
      item.choose();
    });
    return node;
  });
  menu.append(...buttons);
  menu.addEventListener('keydown', (event) => {
    const usable = buttons.filter((button) => !button.disabled);
    const now = usable.indexOf(document.activeElement as HTMLButtonElement);
    const to = { ArrowDown: now + 1, ArrowUp: now - 1 + usable.length, Home: 0, End: usable.length - 1 }[event.key];
    if (to !== undefined) usable[to % usable.length]?.focus();
    else if (event.key === 'Escape' || event.key === 'Tab') close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  menu.addEventListener('contextmenu', (event) => {
    event.preventDefault();
  });
  document.body.append(menu);
  const { width, height } = menu.getBoundingClientRect();
  menu.style.left = `${Math.max(4, Math.min(at.x, window.innerWidth - width - 4))}px`;
  menu.style.top = `${Math.max(4, at.y + height > window.innerHeight - 4 ? at.y - height : at.y)}px`;
  document.addEventListener('pointerdown', outside, true);
  window.addEventListener('blur', close);
  buttons.find((button) => !button.disabled)?.focus();
}
