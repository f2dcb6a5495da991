import { expect, test } from 'vitest';

import { ENGLISH } from '../../panel/words.ts';
import type { Asked, Param } from './api.ts';
import { fieldsOf, givenOf, wrongReportName } from './form.ts';

const param = (name: string, shown: string, given: Partial<Param> = {}): Param => ({ name, default: shown, type: 'int', help: '', shown, value: shown, ...given });
const asked: Asked = {
  name: 'sales',
  title: '',
  show_code: false,
  params: [
    param('days', '7', { help: 'back from today' }),
    param('region', 'EU', { default: "'EU'", type: 'str', value: 'US' }),
    param('key', '', { default: null, type: '' }),
    param('query', 'a\nb', { default: '"""a\nb"""', type: 'str' }),
  ],
};
const shown = (): Record<string, string> => Object.fromEntries(fieldsOf(asked, ENGLISH).map(({ name, value = '' }) => [name, value]));

test('the form shows what the notebook says and what was given last', () => {
  const fields = fieldsOf(asked, ENGLISH);
  expect(fields.map(({ label, value }) => [label, value])).toEqual([
    ['Name', 'sales'],
    ['Title', ''],
    ['days', '7'],
    ['region', 'US'],
    ['key', ''],
    ['query', 'a\nb'],
    ['Show code', ''],
  ]);
  expect(fields.map(({ heading, lines }) => heading ?? lines)).toEqual([undefined, undefined, 'Parameters', undefined, undefined, 2, undefined]);
  expect(fields[2]?.hint).toBe('int · back from today');
  expect(fields[3]?.hint).toBe('str · default EU');
  expect(fields[4]?.hint).toBeUndefined();
});

test('only what differs from the notebook is given', () => {
  const same = { path: 'a/sales.ipynb', name: 'sales', title: null, show_code: false };
  expect(givenOf('a/sales.ipynb', asked, shown())).toEqual({ ...same, params: { region: 'US' } });
  const changed = { ...shown(), 'param:days': ' 14', 'param:region': 'EU', 'param:query': '', show_code: 'yes', title: ' Sales ', name: ' s ' };
  expect(givenOf('a/sales.ipynb', asked, changed)).toEqual({ ...same, name: 's', title: 'Sales', show_code: true, params: { days: ' 14' } });
});

test('a parameter may be called as the form calls its own fields', () => {
  const both = { ...asked, params: [param('name', 'x'), param('__proto__', '1')] };
  const fields = fieldsOf(both, ENGLISH);
  expect(new Set(fields.map(({ name }) => name)).size).toBe(fields.length);
  const given = givenOf('n.ipynb', both, { name: 'r', 'param:name': 'y', 'param:__proto__': '2' });
  expect(JSON.stringify(given.params)).toBe('{"name":"y","__proto__":"2"}');
});

test('a name is one part of an address', () => {
  for (const good of ['sales', '2026.q1-a_b', ' sales ']) expect(wrongReportName(good)).toBeNull();
  for (const bad of ['', '.hidden', 'a/b', 'a b', '../x', 'é', 'a'.repeat(101)]) expect(wrongReportName(bad)).not.toBeNull();
});
