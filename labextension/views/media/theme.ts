/** The colours of the page around an element, for what is drawn on a canvas. */
export interface MediaTheme {
  readonly text: string;
  readonly rule: string;
  readonly font: string;
  readonly accent: string;
}

/** Text comes from the element's colour, lines from that of its border. */
export function readTheme(node: HTMLElement): MediaTheme {
  const style = getComputedStyle(node);
  return {
    text: style.color,
    rule: style.borderTopColor,
    font: `11px ${style.fontFamily}`,
    accent: isLight(style.color) ? '#4aa3df' : '#0079c1',
  };
}

/** Whether a colour as browsers compute it is a light one: light text means a dark page. */
export function isLight(colour: string): boolean {
  const srgb = colour.startsWith('color(');
  const [red = 0, green = 0, blue = 0] = (colour.replace(/^color\(srgb/, '').match(/[\d.]+/g) ?? []).map(Number);
  return 0.299 * red + 0.587 * green + 0.114 * blue > (srgb ? 0.5 : 127);
}
