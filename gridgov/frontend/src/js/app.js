// Every page's script. Each part starts on what the page has, and again on what htmx brings in.
import * as confirm from "./confirm.js";
import * as form from "./form.js";
import * as grids from "./grids.js";
import * as hypermedia from "./hypermedia.js";
import * as live from "./live.js";
import * as near from "./near.js";
import * as outbox from "./outbox.js";
import * as photos from "./photos.js";
import * as place from "./place.js";
import * as questions from "./questions.js";
import * as report from "./report.js";
import * as reveal from "./reveal.js";
import * as viewer from "./viewer.js";
import * as waiting from "./waiting.js";

function decorate(root) {
  photos.start(root);
  place.start(root);
  grids.start(root);
  form.start(root);
  questions.start(root);
  report.start(root);
  near.start(root);
  reveal.start(root);
}

// A refused form is drawn where it was sent to, and nothing can be fetched there: the page says where it belongs.
const address = document.querySelector("meta[name=address]");
if (address) window.history.replaceState(window.history.state, "", address.content);

// The order matters: whoever listens first on `submit` is asked first.
photos.waitForPhotos();
confirm.start();
waiting.start();
hypermedia.start((element) => { if (element !== document.body) decorate(element); });
decorate(document);
form.onlyOnce();
viewer.start();
outbox.start();
live.start();
document.documentElement.dataset.ready = "";
