// The scripts' texts. Ids are English; /i18n/<lang>.js brings the other language as window.gvMessages.

export function _(text, values = {}) {
  const said = (window.gvMessages || {})[text] || text;
  return said.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? values[name] : whole));
}
