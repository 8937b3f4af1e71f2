import { byId } from './dom.js';

/** On a small screen, the conversations are behind a button. */
export function menuOf() {
  const button = byId('menu');
  const sidebar = byId('sidebar');
  const show = (isOpen) => {
    // On a small screen it goes, with the link that had the focus.
    if (!isOpen && isMenu() && sidebar.contains(document.activeElement)) button.focus();
    button.setAttribute('aria-expanded', String(isOpen));
    sidebar.classList.toggle('is-open', isOpen);
  };
  const isMenu = () => button.offsetParent !== null;
  const isOpen = () => button.getAttribute('aria-expanded') === 'true';
  button.addEventListener('click', () => show(!isOpen()));
  sidebar.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape' || !isOpen()) return;
    // It closes the list, and stops nothing.
    event.preventDefault();
    show(false);
  });
  sidebar.addEventListener('click', (event) => {
    if (event.target.closest('a, #new') !== null) show(false);
  });
  return { close: () => show(false) };
}

/** Keeps the end in sight, unless the reader has gone elsewhere. */
export function follower(area) {
  let isAtEnd = true;
  let size = '';
  const sizeNow = () => `${area.scrollHeight} ${area.clientHeight}`;
  const update = () => {
    size = sizeNow();
    if (isAtEnd) area.scrollTop = area.scrollHeight;
  };
  area.addEventListener('scroll', () => {
    // What has moved because something has grown was not moved by the reader.
    if (size !== sizeNow()) update();
    else isAtEnd = area.scrollHeight - area.scrollTop - area.clientHeight < 48;
  });
  // A receipt grows by itself, and the area shrinks when there is a choice to make.
  const sizes = new ResizeObserver(update);
  for (const element of [area, ...area.children]) sizes.observe(element);
  return {
    follow: () => {
      isAtEnd = true;
      update();
    },
  };
}

/** Says something to a screen reader, also the same twice. */
export function announcer(element) {
  return (text) => {
    element.textContent = element.textContent === text ? `${text}\u00a0` : text;
  };
}
