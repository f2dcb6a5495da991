// The form for what a user gives to a run afterwards.
import { askFor } from './dialog.ts';
import type { Annotations, Summary } from './model.ts';
import type { Words } from './words.ts';

export async function askForAnnotations(run: Summary, words: Words): Promise<Annotations | null> {
  const before = writeTags(run.tags);
  const given = await askFor(
    words.__('Name, tags and note of %1', run.name),
    [
      {
        name: 'name',
        label: words.__('Name'),
        value: run.name,
        hint: words.__('Its earlier names still find it.'),
        check: (text) => (NAME.test(text.trim()) ? null : words.__('A name has letters, digits, _, . and -, at most 100 of them.')),
      },
      {
        name: 'tags',
        label: words.__('Tags'),
        value: before,
        placeholder: 'team=vision, baseline',
        hint: words.__('Separated by commas, each a word or key=value. What has a comma in it goes in quotes: why="slow, noisy".'),
        check: (text) => (readTags(text) ? null : words.__('Each tag begins with a word: key or key=value.')),
      },
      { name: 'note', label: words.__('Note'), value: run.note, lines: 4 },
    ],
    { accept: words.__('Save'), cancel: words.__('Cancel') },
  );
  if (!given) return null;
  const { name = run.name, tags = before, note = run.note } = given;
  const changed = {
    ...(name.trim() === run.name ? {} : { name: name.trim() }),
    ...(tags === before ? {} : { tags: readTags(tags) ?? {} }),
    ...(note === run.note.replace(/\r\n?/g, '\n') ? {} : { note: note.trim() }),
  };
  return Object.keys(changed).length ? changed : null;
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$/;

/** One tag: a key and perhaps a value, each bare or a JSON text. */
const TAG = /\s*("(?:\\.|[^"\\])*"|[^,="]*?)\s*(?:=\s*("(?:\\.|[^"\\])*"|[^,"][^,]*?|)\s*)?(?:,|$)/y;

/** `a=b, c` as tags; null where it is wrong. */
export function readTags(text: string): Record<string, string> | null {
  const tags: [string, string][] = [];
  TAG.lastIndex = 0;
  while (TAG.lastIndex < text.length) {
    const found = TAG.exec(text);
    if (!found) return null;
    const [whole, key = '', value] = found;
    if (!whole.replace(',', '').trim()) continue;
    try {
      tags.push([bare(key), bare(value ?? '')]);
    } catch {
      return null;
    }
  }
  return tags.every(([key]) => key) ? Object.fromEntries(tags) : null;
}

/** What `readTags` reads as these tags. */
export function writeTags(tags: Readonly<Record<string, string>>): string {
  return Object.entries(tags).map(([key, value]) => (value ? `${quoted(key)}=${quoted(value)}` : quoted(key))).join(', ');
}

function bare(text: string): string {
  return text.startsWith('"') ? String(JSON.parse(text)) : text;
}

function quoted(text: string): string {
  return /[,="\p{Cc}]/u.test(text) || text !== text.trim() ? JSON.stringify(text) : text;
}
