// More parts of JupyterLab, as in ../jupyterlab.d.ts: those that the panel uses.
declare module '@jupyterlab/application' {
  import type { IWidgetTracker } from '@jupyterlab/apputils';
  import type { ServerConnection } from '@jupyterlab/services';
  import type { CommandRegistry } from '@lumino/commands';
  import type { Widget } from '@lumino/widgets';

  export interface JupyterFrontEnd {
    readonly commands: CommandRegistry;
    readonly serviceManager: {
      readonly serverSettings: ServerConnection.ISettings;
      readonly contents: {
        get(path: string, options: { content: boolean }): Promise<unknown>;
        save(path: string, model: { type: 'notebook'; format: 'json'; content: unknown }): Promise<unknown>;
      };
    };
    readonly restored: Promise<unknown>;
    readonly shell: Widget & {
      readonly currentWidget: Widget | null;
      add(widget: Widget, area: string, options?: { rank?: number; mode?: string; ref?: string; type?: string }): void;
      activateById(id: string): void;
      /** Notebook 7 shows a panel by this. */
      expandLeft?(id?: string): void;
      expandRight?(id?: string): void;
    };
  }
  /** There in JupyterLab alone. */
  export const ILabShell: unknown;
  export interface ILayoutRestorer {
    add(widget: Widget, name: string): void;
    restore<T extends Widget>(
      tracker: IWidgetTracker<T>,
      options: { command: string; args?(widget: T): Record<string, unknown>; name(widget: T): string },
    ): Promise<unknown>;
  }
  export const ILayoutRestorer: unknown;
}

declare module '@jupyterlab/apputils' {
  import type { ISignal } from '@lumino/signaling';
  import { Widget } from '@lumino/widgets';

  export interface ICommandPalette {
    addItem(item: { command: string; category: string }): unknown;
  }
  export const ICommandPalette: unknown;
  export interface IToolbarWidgetRegistry {
    addFactory(factory: string, name: string, make: (widget: Widget) => Widget): unknown;
  }
  export const IToolbarWidgetRegistry: unknown;
  export interface IWidgetTracker<T extends Widget> {
    readonly widgetAdded: ISignal<unknown, T>;
    find(test: (widget: T) => boolean): T | undefined;
    forEach(each: (widget: T) => void): void;
  }
  export class WidgetTracker<T extends Widget> implements IWidgetTracker<T> {
    constructor(options: { namespace: string });
    readonly widgetAdded: ISignal<unknown, T>;
    add(widget: T): Promise<void>;
    save(widget: T): Promise<void>;
    find(test: (widget: T) => boolean): T | undefined;
    forEach(each: (widget: T) => void): void;
  }
  export class MainAreaWidget<T extends Widget> extends Widget {
    constructor(options: { content: T });
    readonly content: T;
  }
  export const Dialog: {
    cancelButton(options?: { label: string }): unknown;
    okButton(options: { label: string }): unknown;
    warnButton(options: { label: string }): unknown;
  };
  export function showDialog(options: { title: string; body: string; buttons: readonly unknown[]; defaultButton?: number }): Promise<{ button: { accept: boolean } }>;
  type Kind = 'default' | 'success' | 'warning' | 'error' | 'info' | 'in-progress';
  interface Shown {
    /** Milliseconds; 0 shows it behind the bell alone. */
    autoClose?: number | false;
    actions?: readonly { label: string; callback: (event: MouseEvent) => void }[];
  }
  export const Notification: {
    emit(message: string, type: Kind, options: Shown): string;
    /** Whether there is still one of that id. */
    update(changes: { id: string; message: string; type: Kind } & Shown): boolean;
  };
}

declare module '@jupyterlab/services' {
  export namespace ServerConnection {
    interface ISettings {
      readonly baseUrl: string;
      readonly wsUrl: string;
      readonly token: string;
      readonly appendToken: boolean;
      readonly WebSocket: typeof WebSocket;
    }
    function makeRequest(url: string, init: RequestInit, settings: ISettings): Promise<Response>;
  }
}

declare module '@jupyterlab/settingregistry' {
  import type { ISignal } from '@lumino/signaling';

  export interface ISettings {
    readonly composite: Readonly<Record<string, unknown>>;
    readonly changed: ISignal<unknown, unknown>;
  }
  export interface ISettingRegistry {
    load(plugin: string): Promise<ISettings>;
  }
  export const ISettingRegistry: unknown;
}

declare module '@jupyterlab/statedb' {
  export interface IStateDB {
    fetch(id: string): Promise<unknown>;
    save(id: string, value: unknown): Promise<unknown>;
  }
  export const IStateDB: unknown;
}

declare module '@jupyterlab/statusbar' {
  import type { Widget } from '@lumino/widgets';

  export interface IStatusBar {
    registerStatusItem(id: string, item: { item: Widget; align: 'left' | 'middle' | 'right'; rank?: number }): unknown;
  }
  export const IStatusBar: unknown;
}

declare module '@jupyterlab/translation' {
  export interface TranslationBundle {
    __(text: string, ...values: (string | number)[]): string;
    _n(one: string, many: string, count: number, ...values: (string | number)[]): string;
  }
  export interface ITranslator {
    load(domain: string): TranslationBundle;
  }
  export const ITranslator: unknown;
}

declare module '@jupyterlab/ui-components' {
  export interface LabIcon {
    readonly svgstr: string;
  }
  export const LabIcon: new (options: { name: string; svgstr: string }) => LabIcon;
}
