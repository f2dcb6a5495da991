// The form that a notebook is published with.
import type { Field } from '../../panel/dialog.ts';
import type { Words } from '../../panel/words.ts';
import type { Asked, Given, Param } from './api.ts';

/** Before a parameter's name: the others have names, too. */
const PARAM = 'param:';

export function fieldsOf(asked: Asked, words: Words): Field[] {
  const { name, title, params } = asked;
  const address = (text: string): string | null => {
    const wrong = wrongReportName(text);
    return wrong === null ? null : words.__(wrong);
  };
  return [
    { name: 'name', label: words.__('Name'), value: name, hint: words.__('The last part of its address, which stays the same.'), check: address },
    { name: 'title', label: words.__('Title'), value: title, placeholder: words.__("The notebook's first heading") },
    ...params.map((param, at) => ({
      name: PARAM + param.name,
      label: param.name,
      code: true,
      value: param.value,
      ...(param.default === null ? {} : { placeholder: param.shown }),
      ...(param.value.includes('\n') ? { lines: Math.min(8, param.value.split('\n').length) } : {}),
      ...(hintOf(param, words) ? { hint: hintOf(param, words) } : {}),
      ...(at ? {} : { heading: words.__('Parameters') }),
    })),
    { name: 'show_code', label: words.__('Show code'), tick: true, value: asked.show_code ? 'yes' : '' },
  ];
}

export function givenOf(path: string, asked: Asked, values: Readonly<Record<string, string>>): Given {
  // An empty field stands for the default, whose text is its placeholder.
  const params = asked.params.flatMap(({ name, shown }): [string, string][] => {
    const text = values[PARAM + name] ?? '';
    return text === shown || !text.trim() ? [] : [[name, text]];
  });
  return {
    path,
    name: (values.name ?? '').trim(),
    title: (values.title ?? '').trim() || null,
    show_code: Boolean(values.show_code),
    params: Object.fromEntries(params),
  };
}

export function wrongReportName(name: string): string | null {
  return /^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$/.test(name.trim()) ? null : 'A letter or digit first, then letters, digits, -, _ and .';
}

function hintOf({ type, help, value, shown, default: said }: Param, words: Words): string {
  // What was given last stands in the field, and may be taken for what the notebook says.
  const other = said !== null && value !== shown && /^.{1,40}$/.test(shown) ? words.__('default %1', shown) : '';
  return [type, other, help].filter(Boolean).join(' · ');
}
