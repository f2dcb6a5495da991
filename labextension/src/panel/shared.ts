// The page's one project: panel, tabs, status bar, marks and outputs all hear from it.
import type { JupyterFrontEnd } from '@jupyterlab/application';
import { ServerConnection } from '@jupyterlab/services';

import { Api } from '../../panel/api.ts';
import { Project } from '../../panel/project.ts';

let shared: Project | null = null;

export function sharedProject(app: JupyterFrontEnd): Project {
  if (shared) return shared;
  const settings = app.serviceManager.serverSettings;
  const api = new Api((path, init) =>
    ServerConnection.makeRequest(`${settings.baseUrl}mlwidgets/api/${path}`, { ...init, cache: 'no-store' }, settings),
  );
  shared = new Project(api, () => {
    const token = settings.appendToken && settings.token ? `?token=${encodeURIComponent(settings.token)}` : '';
    return new settings.WebSocket(`${settings.wsUrl}mlwidgets/api/stream${token}`);
  });
  return shared;
}
