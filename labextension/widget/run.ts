// The widget that mlwidgets.views.widget.RunView mounts.
import { mountRun } from '../views/index.ts';
import { RunStore, type Message, type PackedState } from '../views/store.ts';

/** The part of anywidget's model that this widget uses. */
interface Model {
  get(name: 'state'): PackedState;
  on(event: string, callback: (message: Message, buffers: readonly DataView[]) => void): void;
  off(event: string, callback: (message: Message, buffers: readonly DataView[]) => void): void;
  send(content: object): void;
}

/** One store for each model: however many views of it are on the page, frames are counted once. */
export default () => {
  let store: RunStore | null = null;
  return {
    initialize({ model }: { model: Model }): () => void {
      const kept = (store = new RunStore((content) => {
        model.send(content);
      }));
      kept.restore(model.get('state'));
      const receive = (message: Message, buffers: readonly DataView[]): void => {
        kept.receive(message, buffers);
      };
      model.on('msg:custom', receive);
      // Frames may have gone by since the state was taken; nothing waits for an answer.
      kept.hello();
      return () => {
        model.off('msg:custom', receive);
      };
    },
    render({ el }: { el: HTMLElement }): (() => void) | undefined {
      return store ? mountRun(el, store, true) : undefined;
    },
  };
};
