// The field to sign in with the finger. What was drawn is kept when the phone is turned, and goes with the form as a PNG.
import SignaturePad from "signature_pad";

const form = document.querySelector("[data-sign]");
const canvas = form.querySelector("[data-sign-field]");
const blank = form.querySelector("[data-sign-blank]");
const pad = new SignaturePad(canvas, { minWidth: 1, maxWidth: 3, penColor: "#101820" });

// As many pixels as the screen has, at most two a point: enough for paper, small enough to send.
function fit() {
  const drawn = pad.toData();
  const ratio = Math.min(2, window.devicePixelRatio || 1);
  canvas.width = canvas.offsetWidth * ratio;
  canvas.height = canvas.offsetHeight * ratio;
  canvas.getContext("2d").scale(ratio, ratio);
  pad.clear();
  pad.fromData(drawn);
}

form.querySelector("[data-sign-clear]").addEventListener("click", () => { pad.clear(); blank.hidden = true; canvas.focus(); });
pad.addEventListener("beginStroke", () => { blank.hidden = true; });
form.addEventListener("submit", (event) => {
  if (pad.isEmpty()) {
    event.preventDefault();
    event.stopImmediatePropagation();
    blank.hidden = false;
    return;
  }
  form.elements.image.value = pad.toDataURL("image/png");
}, true);
window.addEventListener("resize", fit);
fit();
form.dataset.signReady = "";
