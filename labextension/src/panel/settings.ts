import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { ISettingRegistry, ISettings } from '@jupyterlab/settingregistry';

export const SETTINGS = 'mlwidgets:panel';

/** The user's settings, once the page is up: loaded sooner they disturb JupyterLab's own shortcuts. Null where there are none. */
export async function settingsOf(app: JupyterFrontEnd, registry: ISettingRegistry | null): Promise<ISettings | null> {
  await app.restored;
  return (await registry?.load(SETTINGS).catch(() => null)) ?? null;
}
