// While a notebook is replaced nobody types in it: what they wrote would be in no file.
import { element } from '../../views/dom.ts';

/** Let nobody edit what is in these nodes until the work is done. Dialogs stay usable: a save may ask something first. */
export async function hold<T>(nodes: readonly HTMLElement[], said: string, work: () => Promise<T>): Promise<T> {
  const signs = nodes.map((node) => {
    const sign = element('div', 'mlw-changes-held', {}, element('span', '', {}, said));
    node.append(sign);
    node.inert = true;
    return sign;
  });
  try {
    return await work();
  } finally {
    for (const node of nodes) node.inert = false;
    for (const sign of signs) sign.remove();
  }
}
