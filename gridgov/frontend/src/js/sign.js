// The field to sign in with the finger. What was drawn is kept when the phone is turned, and goes with the form as a PNG.
// data-sign="optional": the form goes without a signature too. data-keep: without a network it stays as it is.
import SignaturePad from "signature_pad";
import { all } from "./dom.js";
import { toast } from "./toast.js";
import { _ } from "./words.js";

const form = document.querySelector("[data-sign]");
const canvas = form.querySelector("[data-sign-field]");
const blank = form.querySelector("[data-sign-blank]");
const image = form.querySelector("[data-sign-image]");
const pad = new SignaturePad(canvas, { minWidth: 1, maxWidth: 3, penColor: "#101820" });

// As many pixels as the screen has, at most two a point: enough for paper, small enough to send.
function fit() {
  if (!canvas.offsetWidth) return;  // In a part that is not opened.
  const drawn = pad.toData();
  const ratio = Math.min(2, window.devicePixelRatio || 1);
  canvas.width = canvas.offsetWidth * ratio;
  canvas.height = canvas.offsetHeight * ratio;
  canvas.getContext("2d").scale(ratio, ratio);
  pad.clear();
  pad.fromData(drawn);
}

function stop(event) {
  event.preventDefault();
  event.stopImmediatePropagation();
}

function warn(shown) {
  if (blank) blank.hidden = !shown;
}

form.querySelector("[data-sign-clear]").addEventListener("click", () => { pad.clear(); warn(false); canvas.focus(); });
pad.addEventListener("beginStroke", () => warn(false));
form.addEventListener("submit", (event) => {
  if (pad.isEmpty() && form.dataset.sign !== "optional") {
    stop(event);
    warn(true);
  } else if (form.dataset.keep !== undefined && !navigator.onLine) {
    stop(event);
    toast(_("No network. Nothing is lost: press again when there is one."), "red");
  } else {
    image.value = pad.isEmpty() ? "" : pad.toDataURL("image/png");
  }
}, true);
window.addEventListener("resize", fit);
all("details", form).forEach((part) => part.addEventListener("toggle", fit));
fit();
form.dataset.signReady = "";
