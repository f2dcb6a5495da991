// The Changes view of one notebook as a widget of JupyterLab.
import type { JupyterFrontEnd } from '@jupyterlab/application';
import { Dialog, Notification, showDialog } from '@jupyterlab/apputils';
import { Widget } from '@lumino/widgets';

import { askFor } from '../../panel/dialog.ts';
import type { Words } from '../../panel/words.ts';
import { ago } from '../../views/changes/said.ts';
import type { Notebooks } from '../panel/notebooks.ts';
import { sharedProject } from '../panel/shared.ts';
import type { HistoryApi, Snapshot } from './api.ts';
import type { SubmittedRun } from './choices.ts';
import { copyPath, freePath } from './copies.ts';
import { Followed } from './follow.ts';
import { changesIcon } from './icon.ts';
import { ChangesPanel, type Place } from './panel.ts';

export class ChangesWidget extends Widget implements Place {
  private readonly panel: ChangesPanel;
  private readonly notebook: Followed;
  /** What happened while nobody looked. */
  private missed: 'saved' | 'edited' | null = 'saved';

  constructor(
    private readonly app: JupyterFrontEnd,
    private readonly api: HistoryApi,
    notebooks: Notebooks,
    path: string,
    private readonly words: Words,
  ) {
    super();
    this.addClass('mlw-changes-widget');
    this.title.icon = changesIcon as unknown as Widget['title']['icon'];
    this.title.closable = true;
    this.notebook = new Followed(notebooks, path, {
      saved: () => { this.later('saved'); },
      edited: () => { this.later('edited'); },
      renamed: () => {
        this.label();
        this.later('saved');
      },
    });
    this.panel = new ChangesPanel(api, this, words);
    this.node.append(this.panel.node);
    this.label();
    window.addEventListener('focus', this.onReturn);
  }

  get path(): string {
    return this.notebook.path;
  }

  get readOnly(): boolean {
    return sharedProject(this.app).readOnly;
  }

  get elsewhere(): boolean {
    return sharedProject(this.app).info?.history === false;
  }

  unsaved(outputs: boolean): unknown {
    return this.notebook.unsaved(outputs);
  }

  runs(): readonly SubmittedRun[] {
    const found: SubmittedRun[] = [];
    for (const run of sharedProject(this.app).list.all()) if (run.notebook === this.path && run.trial_of == null) found.push(run);
    return found.sort((a, b) => b.submitted - a.submitted);
  }

  goTo(cell: Parameters<Place['goTo']>[0]): void {
    const { open } = this.notebook;
    if (open) this.app.shell.activateById(open.id);
    void this.notebook.goTo(cell).then((there) => {
      if (!there) this.tell(open ? this.words.__('This cell is no longer in the notebook.') : this.words.__('The notebook is not open.'));
    });
  }

  open(snapshot: Snapshot): void {
    void this.attempt(async () => {
      const content = await this.api.notebook(this.path, `snapshot:${snapshot.id}`);
      const { contents } = this.app.serviceManager;
      const path = await freePath(copyPath(this.path, snapshot.time), (one) => lies(contents.get(one, { content: false })));
      await contents.save(path, { type: 'notebook', format: 'json', content });
      await this.app.commands.execute('docmanager:open', { path });
    });
  }

  restore(snapshot: Snapshot): void {
    const { words } = this;
    void this.attempt(async () => {
      const when = ago(snapshot.time, Date.now() / 1000);
      const { button } = await showDialog({
        title: words.__('Restore this notebook?'),
        body: words.__('%1 becomes what it was %2. What it is now is kept first and can be brought back; outputs stay with cells that are the same.', this.path, when),
        buttons: [Dialog.cancelButton(), Dialog.okButton({ label: words.__('Restore') })],
      });
      if (!button.accept) return;
      const { before, shown } = await this.goBack(snapshot.id);
      const actions = before === null ? [] : [{ label: words.__('Undo'), callback: () => void this.attempt(async () => { await this.goBack(before); }) }];
      if (shown) Notification.emit(words.__('Restored as it was %1. The state before is kept in its history.', when), 'success', { autoClose: 15_000, actions });
    });
  }

  name(snapshot: Snapshot): void {
    void this.attempt(() => this.giveName(snapshot));
  }

  protected override onAfterShow(): void {
    this.catchUp();
  }

  protected override onAfterAttach(): void {
    this.catchUp();
  }

  protected override onActivateRequest(): void {
    this.panel.focus();
    this.onReturn();
  }

  override dispose(): void {
    if (this.isDisposed) return;
    window.removeEventListener('focus', this.onReturn);
    this.notebook.dispose();
    this.panel.dispose();
    super.dispose();
  }

  /** Whoever comes back may have committed meanwhile. */
  private readonly onReturn = (): void => {
    if (!this.panel.busy) this.later('saved');
  };

  private label(): void {
    const file = this.path.slice(this.path.lastIndexOf('/') + 1);
    this.title.label = this.words.__('Changes: %1', file);
    this.title.caption = this.path;
    this.node.setAttribute('aria-label', this.title.label);
  }

  /** Bring it up to date, now or when somebody looks. */
  private later(news: 'saved' | 'edited'): void {
    if (this.missed !== 'saved') this.missed = news;
    this.catchUp();
  }

  private catchUp(): void {
    if (!this.isVisible || this.missed === null) return;
    const { missed } = this;
    this.missed = null;
    void (missed === 'saved' ? this.panel.refresh() : this.panel.compare());
  }

  /** Put a snapshot in the notebook's place: the id of the one that holds what was there before, and whether it is shown. */
  private async goBack(snapshot: string): Promise<{ before: string | null; shown: boolean }> {
    const { words, notebook } = this;
    const said = words.__('Restoring…');
    const done = await notebook.hold(said, async () => {
      await notebook.save();
      // What was saved just now is kept already.
      const [newest] = (await this.api.history(this.path, 1)).snapshots;
      const kept = await this.api.restore(this.path, snapshot);
      // A cell that is being executed, or somebody elsewhere, may have added something that is kept nowhere.
      const shown = !notebook.dirty;
      if (shown) await notebook.reload();
      return { before: kept ?? newest?.id ?? null, shown };
    });
    this.later('saved');
    if (done.shown) return done;
    const { button } = await showDialog({
      title: words.__('Changed while it was restored'),
      body: words.__('The file %1 is restored. What was changed in the open notebook meanwhile is kept nowhere else.', this.path),
      buttons: [Dialog.cancelButton({ label: words.__('Keep the Changes') }), Dialog.warnButton({ label: words.__('Discard Them') })],
      defaultButton: 0,
    });
    if (button.accept) await notebook.hold(said, () => notebook.reload());
    else this.tell(words.__('The open notebook is left as it is. “Reload Notebook from Disk” in the File menu shows what was restored.'));
    return { ...done, shown: button.accept };
  }

  private async giveName(snapshot: Snapshot): Promise<void> {
    const { words } = this;
    const named = snapshot.names.length > 0;
    const kept = words.__('A snapshot with a name is kept for good. If another one has this name, it moves here.');
    const given = await askFor(
      named ? words.__('Rename this snapshot') : words.__('Name this snapshot'),
      [{ name: 'name', label: words.__('Name'), value: snapshot.names[0] ?? '', hint: named ? `${kept} ${words.__('Leave it empty to take the name away.')}` : kept }],
      { accept: words.__('Save'), cancel: words.__('Cancel') },
    );
    if (!given) return;
    await this.api.name(this.path, snapshot.id, given.name?.trim() ?? '');
    this.later('saved');
  }

  private async attempt(act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      // Whoever was asked something by a save, and wants nothing of it, knows.
      if (error instanceof Error && error.name === 'ModalCancelError') return;
      this.tell(error instanceof Error && error.message ? error.message : this.words.__('That did not work: the server does not answer.'), 'error');
    }
  }

  private tell(message: string, kind: 'info' | 'error' = 'info'): void {
    Notification.emit(message, kind, { autoClose: 6000 });
  }
}

/** Whether something lies where that was asked for. */
async function lies(answer: Promise<unknown>): Promise<boolean> {
  try {
    await answer;
    return true;
  } catch (error) {
    if ((error as { response?: { status?: unknown } }).response?.status === 404) return false;
    throw error;
  }
}
