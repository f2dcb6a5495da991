// What a notebook as it was is called beside the one that it comes from.
import { folderOf } from '../panel/notebooks.ts';

/** The path of a notebook as it was then, in Unix seconds. */
export function copyPath(path: string, time: number): string {
  const folder = folderOf(path);
  const name = path.slice(folder ? folder.length + 1 : 0).replace(/\.ipynb$/, '');
  // A colon in a name is a drive's.
  const when = new Date(time * 1000).toLocaleString('sv').replaceAll(':', '.');
  return [folder, `${name} (${when}).ipynb`].filter(Boolean).join('/');
}

/** That path, or the next one at which nothing lies yet. */
export async function freePath(wanted: string, taken: (path: string) => Promise<boolean>): Promise<string> {
  let path = wanted;
  for (let n = 2; await taken(path); n += 1) path = wanted.replace(/\.ipynb$/, ` (${n}).ipynb`);
  return path;
}
