// The form for what a user gives to a run afterwards.
import { askFor } from './dialog.ts';
import { tagText } from './list.ts';
import type { Annotations, Summary } from './model.ts';
import type { Words } from './words.ts';

export async function askForAnnotations(run: Summary, words: Words): Promise<Annotations | null> {
  const given = await askFor(
    words.__('Tags and note of %1', run.name),
    [
      {
        name: 'tags',
        label: words.__('Tags'),
        value: Object.entries(run.tags).map(([key, value]) => tagText(key, value)).join(', '),
        placeholder: 'team=vision, baseline',
        hint: words.__('Separated by commas, each a word or key=value.'),
        check: (text) => (readTags(text) ? null : words.__('Each tag begins with a word: key or key=value.')),
      },
      { name: 'note', label: words.__('Note'), value: run.note, lines: 4 },
    ],
    { accept: words.__('Save'), cancel: words.__('Cancel') },
  );
  if (!given) return null;
  return { tags: readTags(given.tags ?? '') ?? {}, note: (given.note ?? '').trim() };
}

/** `a=b, c` as tags; null where one has no key. */
export function readTags(text: string): Record<string, string> | null {
  const parts = text.split(',').map((part) => part.trim()).filter(Boolean);
  const pairs = parts.map((part): [string, string] => {
    const at = part.indexOf('=');
    return at < 0 ? [part, ''] : [part.slice(0, at).trim(), part.slice(at + 1).trim()];
  });
  return pairs.every(([key]) => key) ? Object.fromEntries(pairs) : null;
}
