// Builds scripts, styles and the icon sprite into gridgov/static/dist, under names that carry a hash of the content.
// Run: npm ci --ignore-scripts && node build.mjs
import { createHash } from "node:crypto";
import { mkdir, readFile, readdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";
import { build } from "esbuild";

const HERE = dirname(fileURLToPath(import.meta.url));
const ROOT = dirname(HERE);
const REPO = dirname(ROOT);
const DIST = join(ROOT, "static", "dist");
const ICONS = join(HERE, "node_modules", "@tabler", "icons", "icons");
const SCRIPTS = ["app", "map", "desk", "sign"];
const STYLES = ["app", "map"];
// Old phones: WeChat's own browser on Android may be a Chrome of some years ago, and iPhones of 2016 end at Safari 15.
const TARGET = ["chrome87", "safari14.1", "firefox78"];

const started = Date.now();
const manifest = {};
const sizes = [];
const next = `${DIST}.next`;
await rm(next, { recursive: true, force: true });
await mkdir(next, { recursive: true });

await Promise.all([...SCRIPTS.map(script), ...STYLES.map(style), sprite(), messages()]);
await write("manifest.json", JSON.stringify(manifest, Object.keys(manifest).sort(), 1));
await rm(DIST, { recursive: true, force: true });
await rename(next, DIST);
for (const line of sizes.sort()) console.log(line);
console.log(`built in ${((Date.now() - started) / 1000).toFixed(1)} s`);

async function script(name) {
  const result = await build({
    entryPoints: [join(HERE, "src", "js", `${name}.js`)],
    bundle: true, minify: true, write: false, format: "iife", target: TARGET, legalComments: "none", charset: "utf8",
  });
  await hashed(name, "js", Buffer.from(result.outputFiles[0].contents));
}

async function style(name) {
  const result = await build({
    entryPoints: [join(HERE, "src", "css", `${name}.css`)],
    bundle: true, minify: true, write: false, target: TARGET, legalComments: "none", charset: "utf8",
    external: ["*.png"],  // Pictures of Leaflet controls that we do not use.
  });
  await hashed(name, "css", Buffer.from(result.outputFiles[0].contents));
}

// Only the icons that templates, scripts, policy files or icons.txt name.
async function sprite() {
  const names = (await iconNames()).sort();
  const symbols = await Promise.all(names.map(symbol));
  const svg = `<svg xmlns="http://www.w3.org/2000/svg">${symbols.join("")}</svg>\n`;
  await hashed("icons", "svg", Buffer.from(svg));
  await write("icons.json", JSON.stringify(names));
}

async function iconNames() {
  const listed = (await readFile(join(HERE, "src", "icons.txt"), "utf8")).split("\n").map((line) => line.split("#")[0].trim());
  const names = new Set(listed.filter(Boolean));
  const sources = [...await files(ROOT, /\.html$/), ...await files(join(HERE, "src", "js"), /\.js$/),
    ...await files(join(REPO, "workflows"), /\.ya?ml$/), ...await files(ROOT, /\.py$/)];
  const patterns = [/\bicon\(\s*["']([a-z0-9-]+)["']/g, /\bicon(?:_name)?\s*=\s*["']([a-z0-9-]+)["']/g,
    /["']icon["']\s*:\s*["']([a-z0-9-]+)["']/g];
  for (const path of sources) {
    const text = await readFile(path, "utf8");
    const yaml = /\.ya?ml$/.test(path) ? [/\bicon:\s*["']?([a-z0-9-]+)/g] : [];
    for (const pattern of [...patterns, ...yaml]) for (const match of text.matchAll(pattern)) names.add(match[1]);
  }
  return [...names];
}

async function symbol(name) {
  const filled = name.endsWith("-filled");
  const path = join(ICONS, filled ? "filled" : "outline", `${name.replace(/-filled$/, "")}.svg`);
  const text = await readFile(path, "utf8").catch(() => { throw new Error(`no icon is called ${name}`); });
  const body = text.replace(/^[\s\S]*?<svg[^>]*>/, "").replace("</svg>", "")
    .replace(/<path stroke="none" d="M0 0h24v24H0z" fill="none" ?\/>/, "").replace(/>\s+</g, "><").trim();
  const paint = filled ? 'fill="currentColor"'
    : 'fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round"';
  return `<symbol id="${name}" viewBox="0 0 24 24" ${paint}>${body}</symbol>`;
}

// The English texts inside the scripts; the server sends a dictionary of exactly these in the other language.
async function messages() {
  const found = new Set();
  for (const path of await files(join(HERE, "src", "js"), /\.js$/)) {
    const text = await readFile(path, "utf8");
    for (const match of text.matchAll(/\b_\("((?:[^"\\]|\\.)*)"/g)) found.add(JSON.parse(`"${match[1]}"`));
  }
  await write("messages.json", JSON.stringify([...found].sort()));
}

async function files(folder, pattern) {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const skip = new Set(["node_modules", "dist", "frontend", "__pycache__"]);
  const nested = await Promise.all(entries.map((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return skip.has(entry.name) ? [] : files(path, pattern);
    return pattern.test(entry.name) ? [path] : [];
  }));
  return nested.flat();
}

async function hashed(name, kind, content) {
  const digest = createHash("sha256").update(content).digest("hex").slice(0, 10);
  const file = `${name}-${digest}.${kind}`;
  manifest[`${name}.${kind}`] = file;
  const [br, gz] = await Promise.all([
    promisify(brotliCompress)(content, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }),
    promisify(gzip)(content, { level: 9 }),
  ]);
  await Promise.all([write(file, content), write(`${file}.br`, br), write(`${file}.gz`, gz)]);
  sizes.push(`${file.padEnd(28)} ${kb(content)} KB, gzip ${kb(gz)}, brotli ${kb(br)}`);
}

function write(name, content) {
  return writeFile(join(next, name), content);
}

function kb(content) {
  return (content.length / 1024).toFixed(1);
}
