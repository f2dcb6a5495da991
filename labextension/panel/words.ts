/** Translates the panel's strings; the names are those that gettext extractors and JupyterLab's bundles know. */
export interface Words {
  /** `%1`, `%2`… stand for the arguments. */
  __(text: string, ...values: (string | number)[]): string;
  _n(one: string, many: string, count: number, ...values: (string | number)[]): string;
}

/** The strings as they are in the source. */
export const ENGLISH: Words = {
  __: (text, ...values) => fill(text, values),
  _n: (one, many, count, ...values) => fill(count === 1 ? one : many, [count, ...values]),
};

function fill(text: string, values: readonly (string | number)[]): string {
  return text.replace(/%(\d)/g, (whole, digit: string) => String(values[Number(digit) - 1] ?? whole));
}
