import type { IMimeModel, IRenderer, IRendererOptions } from '@jupyterlab/rendermime';
import { Panel, Widget } from '@lumino/widgets';

import { mountRun, type RunSource } from '../views/index.ts';
import { Attachment, type Told } from './attachment.ts';
import type { FindHost, Host } from './host.ts';
import { Latest } from './latest.ts';
import type { ServedListener, ServedRuns } from './panel/served.ts';
import { readSaved, type Saved } from './saved.ts';

/** Milliseconds for which a pointer rests on an ended run before the kernel is asked for more than the notebook holds. */
const REST = 300;
const WIDGET_VIEW = 'application/vnd.jupyter.widget-view+json';

/** Follows runs by the server; null where it knows of none. */
export type Serve = (runs: readonly string[], listener: ServedListener) => ServedRuns;

/**
 * One output that shows runs: from what the notebook holds, from the server while they go on, and as the kernel's
 * widget while there is one.
 *
 * They take turns and look the same. What the kernel says a notebook should keep goes into the notebook when it is
 * saved, when the kernel is lost, and when the runs have ended.
 */
export class RunRenderer extends Panel implements IRenderer {
  private readonly still = new Widget();
  private unmount: (() => void) | null = null;
  private live: LivePart | null = null;
  private model: IMimeModel | null = null;
  private host: Host | null = null;
  private attachment: Attachment | null = null;
  private served: ServedRuns | null = null;
  /** What `still` shows, where that is live. */
  private mounted: RunSource | null = null;
  /** What the kernel said last that the notebook should keep, until it does. */
  private unsaved: Record<string, unknown> | null = null;
  private readonly latest = new Latest();
  /** Whether a reader turned to runs that had ended: a kernel tells more of them, and nothing new. */
  private asked = false;

  constructor(
    private readonly options: IRendererOptions,
    private readonly findHost: FindHost,
    private readonly serve: Serve,
  ) {
    super();
    this.addClass('mlw-rendered');
    this.addWidget(this.still);
    let resting = 0;
    this.node.addEventListener('pointerenter', () => {
      resting = window.setTimeout(() => {
        this.ask();
      }, REST);
    });
    this.node.addEventListener('pointerleave', () => {
      window.clearTimeout(resting);
    });
    this.node.addEventListener('focusin', () => {
      this.ask();
    });
  }

  renderModel(model: IMimeModel): Promise<void> {
    this.model = model;
    if (this.live?.shown !== true) this.showStill();
    if (this.isAttached) this.follow();
    return Promise.resolve();
  }

  override dispose(): void {
    if (this.isDisposed) return;
    this.host?.saving?.disconnect(this.onSaving);
    this.attachment?.dispose();
    this.served?.dispose();
    this.live?.dispose();
    this.unmount?.();
    super.dispose();
  }

  protected override onAfterAttach(): void {
    this.follow();
  }

  private showStill(): void {
    const { model } = this;
    const source = this.served?.source ?? null;
    // What is live already is not drawn anew because the notebook keeps something else.
    if (source && source === this.mounted) return;
    this.clearStill();
    if (source) {
      this.mounted = source;
      this.unmount = mountRun(this.still.node, source, model?.trusted);
      return;
    }
    if (!model) return;
    const saved = this.read(model);
    if (saved) this.unmount = mountRun(this.still.node, { runs: saved.runs, clock: saved.time }, model.trusted);
    else {
      const html = model.data['text/html'];
      this.still.node.innerHTML = typeof html === 'string' ? this.options.sanitizer.sanitize(html) : '';
    }
  }

  private read(model: IMimeModel): Saved | null {
    return readSaved(model.data, (html) => (model.trusted ? html : this.options.sanitizer.sanitize(html)));
  }

  private clearStill(): void {
    this.unmount?.();
    this.unmount = null;
    this.mounted = null;
    this.still.node.replaceChildren();
  }

  /** Find the kernel if runs go on, as far as the notebook knows, or a reader asks. Without trust none is reached. */
  private follow(reader = false): void {
    const { model } = this;
    if (!model?.trusted) return;
    const runs = this.read(model)?.runs;
    if (!runs) return;
    const ended = runs.every((run) => run.header.ended !== null);
    if (ended && !reader) return;
    this.asked = ended;
    if (!this.host) {
      this.host = this.findHost(this.node);
      this.host?.saving?.connect(this.onSaving);
    }
    if (!this.host) return;
    const view = model.data[WIDGET_VIEW] as { model_id?: string } | undefined;
    if (view?.model_id) this.showLive(view.model_id);
    const ids = runs.map((run) => run.header.id);
    this.served ??= this.serve(ids, {
      changed: () => {
        if (this.live?.shown !== true) this.showStill();
      },
      ended: (data) => {
        this.hear({ type: 'ended', data });
      },
    });
    this.attachment ??= new Attachment(
      this.host.session,
      ids,
      (news) => {
        this.hear(news);
      },
      () => {
        this.loseKernel();
      },
    );
  }

  private ask(): void {
    if (this.isAttached && !this.attachment) this.follow(true);
  }

  private hear(news: Told): void {
    if (news.type === 'unknown') return;
    if (news.type === 'live') this.showLive(news.model);
    else if (!this.asked && this.latest.takes(news)) {
      this.unsaved = news.data;
      if (news.type !== 'saved') this.keep();
    }
  }

  private loseKernel(): void {
    this.live?.dispose();
    this.live = null;
    this.still.show();
    this.keep();
    this.showStill();
  }

  private readonly onSaving = (_sender: unknown, state: string): void => {
    if (state === 'started') this.keep();
  };

  /** Put into the notebook what it should keep. */
  private keep(): void {
    const data = this.unsaved;
    this.unsaved = null;
    if (data && this.model) this.model.setData({ data, metadata: {} });
  }

  private showLive(id: string): void {
    if (!this.host || this.live?.id === id) return;
    this.live?.dispose();
    this.live = null;
    const { rendermime } = this.host;
    if (!rendermime.mimeTypes.includes(WIDGET_VIEW)) return;
    const live = new LivePart(id, rendermime.createRenderer(WIDGET_VIEW), (shown) => {
      if (this.isDisposed || this.live !== live) return;
      const focused = this.still.node.contains(document.activeElement);
      live.renderer.setHidden(!shown);
      this.still.setHidden(shown);
      if (shown && focused) live.renderer.node.querySelector<HTMLElement>('.mlw-run button')?.focus();
      if (shown) this.clearStill();
      else this.showStill();
    });
    this.live = live;
    live.renderer.addClass('mlw-live');
    live.renderer.hide();
    this.addWidget(live.renderer);
    live.render(rendermime.createModel({ data: { [WIDGET_VIEW]: { model_id: id } }, trusted: true }));
  }
}

/** The kernel's widget inside an output. It may come late, or never. */
class LivePart {
  shown = false;
  private readonly observer: MutationObserver;

  constructor(
    readonly id: string,
    readonly renderer: IRenderer,
    changed: (shown: boolean) => void,
  ) {
    this.observer = new MutationObserver(() => {
      const shown = renderer.node.querySelector('.mlw-run') !== null;
      if (shown === this.shown) return;
      this.shown = shown;
      changed(shown);
    });
    this.observer.observe(renderer.node, { childList: true, subtree: true });
  }

  render(model: IMimeModel): void {
    void this.renderer.renderModel(model);
  }

  dispose(): void {
    this.observer.disconnect();
    this.renderer.dispose();
  }
}
