// Node-RED without editor, packages or telemetry: it runs the flow and nothing else.
module.exports = {
  uiHost: "127.0.0.1",
  uiPort: Number(process.env.UI_PORT),
  httpAdminRoot: false,
  httpNodeRoot: false,
  disableEditor: true,
  telemetry: { enabled: false },
  flowFile: "flows.json",
  credentialSecret: false,
  externalModules: { autoInstall: false, palette: { allowInstall: false } },
  contextStorage: { default: { module: "memory" } },
};
