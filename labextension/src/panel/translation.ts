import type { ITranslator } from '@jupyterlab/translation';

import { ENGLISH, type Words } from '../../panel/words.ts';

export type Bundle = Words;

export function wordsOf(translator: ITranslator | null): Words {
  return translator?.load('mlwidgets') ?? ENGLISH;
}
