/** Makes an element. A text is text: what a model or a tool says is never markup. */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, '');
    else if (value !== false && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== undefined));
  return element;
}

/** The element of the page that has this id. */
export function byId(id) {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`The page has no #${id}.`);
  return element;
}

/** Changes a text only if it is another one: a screen reader reads what changes. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Puts the children in this order, and touches none that is in its place. The one with the focus is never moved, which would
 * lose the focus: what is in front of it goes behind it.
 */
export function setChildren(parent, children) {
  for (const old of [...parent.children]) if (!children.includes(old)) old.remove();
  let before = parent.firstChild;
  for (const child of children) {
    while (before !== child && child.parentNode === parent && child.contains(document.activeElement)) {
      const next = before.nextSibling;
      parent.append(before);
      before = next;
    }
    if (child === before) before = before.nextSibling;
    else parent.insertBefore(child, before);
  }
}

/**
 * Before something goes: if the focus is in it, one goes on with the message, and not at the top of the page. On a phone that
 * would bring up the keyboard, over what one wants to read.
 */
export function leaveFocus(element) {
  if (!element.contains(document.activeElement)) return;
  const message = byId('message');
  const isTouched = matchMedia('(pointer: coarse)').matches;
  (message.disabled || isTouched ? byId('conversation') : message).focus();
}

/** Calls it soon, once, however often it is asked for. A tab in the background gets no frames, so this is a timer. */
export function soon(act, ms = 16) {
  let isPlanned = false;
  return () => {
    if (isPlanned) return;
    isPlanned = true;
    setTimeout(() => {
      isPlanned = false;
      act();
    }, ms);
  };
}

/** For an async function that must not run twice at once: asked again meanwhile, it runs once more afterwards. */
export function oneAtATime(act) {
  let running;
  let isAsked = false;
  const run = async () => {
    do {
      isAsked = false;
      await act();
    } while (isAsked);
  };
  return () => {
    isAsked = true;
    running ??= run().finally(() => {
      running = undefined;
    });
    return running;
  };
}
