import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { Widget } from '@lumino/widgets';

import type { Display, Drawn, Offer } from '../views/index.ts';

/** Draw in `frame` what JupyterLab draws better than the view does: as an output of the notebook would be. */
export function drawDisplay(frame: HTMLElement, offer: Offer, rendermime: IRenderMimeRegistry): Drawn | null {
  const mimeType = preferred(offer.display, offer.trusted, rendermime);
  if (!mimeType) return null;
  const renderer = rendermime.createRenderer(mimeType);
  const fallback = [...frame.childNodes];
  const show = ({ data, metadata }: Display): void => {
    renderer.renderModel(rendermime.createModel({ data, metadata, trusted: offer.trusted })).catch(() => {
      if (!renderer.isDisposed) frame.replaceChildren(...fallback);
    });
  };
  show(offer.display);
  frame.replaceChildren();
  Widget.attach(renderer, frame);
  return {
    update: (display) => {
      if (preferred(display, offer.trusted, rendermime) !== mimeType) return false;
      show(display);
      return true;
    },
    dispose: () => {
      renderer.dispose();
    },
  };
}

function preferred({ data }: Display, trusted: boolean, rendermime: IRenderMimeRegistry): string | undefined {
  const known = Object.fromEntries(Object.entries(data).filter(([mime]) => !mime.startsWith('application/vnd.jupyter.widget-')));
  const mimeType = rendermime.preferredMimeType(known, trusted ? 'any' : 'ensure');
  // HTML without trust is for the view itself, which keeps it apart and whole.
  return mimeType === 'text/plain' || (mimeType === 'text/html' && !trusted) ? undefined : mimeType;
}
