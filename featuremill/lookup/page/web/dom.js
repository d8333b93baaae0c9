// Making elements. Texts become text nodes, never markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") {
      // Through the object model: style attributes are refused by the content security policy.
      for (const [property, setting] of Object.entries(value)) element.style.setProperty(property, String(setting));
    } else element.setAttribute(name, value === true ? "" : String(value));
  }
  add(element, children);
  return element;
}

/** Append children: elements, texts, numbers, lists of them; null, undefined and false are left out. */
export function add(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}

/** An HTML element. */
export const h = (tag, properties, ...children) => fill(document.createElement(tag), properties, children);

/** An SVG element. */
export const s = (tag, properties, ...children) => fill(document.createElementNS(SVG, tag), properties, children);

/** A name that may be broken after its underscores, and only where there is no room without it. */
export const breakable = (name) => h("span", {}, name.split(/(?<=_)/).flatMap((part, index) => (index ? [h("wbr"), part] : [part])));

/** Replace all that is in an element. */
export function show(element, ...children) {
  element.replaceChildren();
  add(element, children);
}

/** Say something to those who do not see the page. */
export function announce(text) {
  document.getElementById("announcer").textContent = text;
}
