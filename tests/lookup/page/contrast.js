// The contrast of every text with what is behind it, by WCAG 2.2: 4.5, or 3 for large text. [texts, those too faint].
const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
const rgb = (colour, under = [255, 255, 255]) => {
  canvas.clearRect(0, 0, 1, 1);
  canvas.fillStyle = `rgb(${under})`;
  canvas.fillRect(0, 0, 1, 1);
  canvas.fillStyle = colour;
  canvas.fillRect(0, 0, 1, 1);
  return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
};
const ground = (element) => {
  const layers = [];
  for (let at = element; at; at = at.parentElement) layers.unshift(getComputedStyle(at).backgroundColor);
  return layers.reduce((under, colour) => rgb(colour, under), [255, 255, 255]);
};
const light = (colour) => {
  const [r, g, b] = colour.map((part) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const faint = [];
const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
let seen = 0;
while (texts.nextNode()) {
  const element = texts.currentNode.parentElement;
  const style = getComputedStyle(element);
  const box = element.getBoundingClientRect();
  if (!texts.currentNode.data.trim() || box.width < 2 || style.visibility !== "visible" || element.closest(".visually-hidden, noscript, title, .skip")) continue;
  if (element.tagName === "TITLE") continue;
  seen += 1;
  const behind = ground(element);
  const ink = rgb(element instanceof SVGElement ? style.fill : style.color, behind);
  const [a, b] = [light(ink), light(behind)].sort((x, y) => y - x);
  const ratio = (a + 0.05) / (b + 0.05);
  const size = parseFloat(style.fontSize);
  const large = size >= 24 || (size >= 18.6 && Number(style.fontWeight) >= 700);
  if (ratio < (large ? 3 : 4.5)) faint.push(`${ratio.toFixed(2)} ${element.className.baseVal ?? element.className}: ${texts.currentNode.data.slice(0, 40)}`);
}
return [seen, faint];
