import type { ISettingRegistry, ISettings } from '@jupyterlab/settingregistry';

export const SETTINGS = 'mlwidgets:panel';

/** The user's settings; null where this front end keeps none. */
export async function settingsOf(registry: ISettingRegistry | null): Promise<ISettings | null> {
  return (await registry?.load(SETTINGS).catch(() => null)) ?? null;
}
