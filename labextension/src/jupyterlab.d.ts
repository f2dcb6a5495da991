// The parts of JupyterLab that the extension uses, as its public interfaces have been since 4.0. JupyterLab provides
// the modules; installing them all for their types would multiply what a build has to download.
declare module '@jupyterlab/rendermime' {
  import type { Widget } from '@lumino/widgets';

  export interface IMimeModel {
    readonly trusted: boolean;
    readonly data: Readonly<Record<string, unknown>>;
    readonly metadata: Readonly<Record<string, unknown>>;
    setData(options: { data?: Record<string, unknown>; metadata?: Record<string, unknown> }): void;
  }
  export interface IRenderer extends Widget {
    renderModel(model: IMimeModel): Promise<void>;
  }
  export interface IRendererOptions {
    readonly mimeType: string;
    readonly sanitizer: { sanitize(dirty: string): string };
  }
  export interface IRendererFactory {
    readonly safe: boolean;
    readonly mimeTypes: readonly string[];
    createRenderer(options: IRendererOptions): IRenderer;
  }
  export interface IRenderMimeRegistry {
    readonly mimeTypes: readonly string[];
    addFactory(factory: IRendererFactory, rank?: number): void;
    createRenderer(mimeType: string): IRenderer;
    createModel(options: {
      data: Readonly<Record<string, unknown>>;
      metadata?: Readonly<Record<string, unknown>>;
      trusted?: boolean;
    }): IMimeModel;
    preferredMimeType(data: Readonly<Record<string, unknown>>, safe: 'ensure' | 'prefer' | 'any'): string | undefined;
  }
  export const IRenderMimeRegistry: unknown;
}

declare module '@jupyterlab/services' {
  import type { ISignal } from '@lumino/signaling';

  export interface IMessage {
    readonly content: { readonly data: Readonly<Record<string, unknown>> };
  }
  export interface IComm {
    onMsg: (message: IMessage) => void;
    onClose: (message: IMessage) => void;
    open(data: Record<string, unknown>): unknown;
    close(): unknown;
    dispose(): void;
    readonly isDisposed: boolean;
    /** Since JupyterLab 4.4. */
    readonly subshellStarted?: Promise<void>;
  }
  export interface IKernelConnection {
    readonly handleComms: boolean;
    readonly status: string;
    readonly supportsSubshells?: boolean;
    readonly isDisposed: boolean;
    readonly info: Promise<{ readonly language_info: { readonly name: string } }>;
    clone(): IKernelConnection;
    dispose(): void;
    createComm(target: string): IComm;
    requestExecute(content: Record<string, unknown>): {
      readonly done: Promise<{ readonly content: { readonly status: string } } | undefined>;
    };
  }
  export interface ISessionContext {
    readonly session: { readonly kernel: IKernelConnection | null } | null;
    readonly statusChanged: ISignal<unknown, string>;
    readonly kernelChanged: ISignal<unknown, unknown>;
  }
}

declare module '@jupyterlab/notebook' {
  import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
  import type { ISessionContext } from '@jupyterlab/services';
  import type { ISignal } from '@lumino/signaling';
  import type { Widget } from '@lumino/widgets';

  export interface NotebookPanel extends Widget {
    readonly content: Widget & { readonly rendermime: IRenderMimeRegistry };
    readonly sessionContext: ISessionContext;
    readonly context: { readonly saveState: ISignal<unknown, string> };
  }
  export interface INotebookTracker {
    find(test: (panel: NotebookPanel) => boolean): NotebookPanel | undefined;
  }
  export const INotebookTracker: unknown;
}

declare module '@jupyterlab/console' {
  import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
  import type { ISessionContext } from '@jupyterlab/services';
  import type { Widget } from '@lumino/widgets';

  export interface ConsolePanel extends Widget {
    readonly console: { readonly rendermime: IRenderMimeRegistry };
    readonly sessionContext: ISessionContext;
  }
  export interface IConsoleTracker {
    find(test: (panel: ConsolePanel) => boolean): ConsolePanel | undefined;
  }
  export const IConsoleTracker: unknown;
}
