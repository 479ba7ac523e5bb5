// The place of a report: found by the phone, corrected on the map, told in words. Writes lat, lon, accuracy_m, grid_code.
import { all } from "./dom.js";
import { send } from "./send.js";
import { _ } from "./words.js";

const OPTIONS = { enableHighAccuracy: true, timeout: 15000, maximumAge: 0 };  // ms; an old place would be a wrong one.

export function start(root = document) {
  all("[data-place]", root).forEach((box) => { if (!box.dataset.started) { box.dataset.started = ""; new Place(box); } });
}

class Place {
  constructor(box) {
    this.box = box;
    this.form = box.closest("form");
    this.words = box.querySelector("[data-place-words]");
    this.button = box.querySelector("[data-locate]");
    this.asked = 0;
    if (this.button) {
      this.button.hidden = false;
      this.button.addEventListener("click", () => this.locate());
    }
    // The map reports a moved pin with place:moved and follows place:found.
    box.addEventListener("place:moved", (event) => this.set(event.detail.lat, event.detail.lon, null));
    box.addEventListener("grid:chosen", (event) => {
      this.asked += 1;
      this.say([event.detail.name, _("chosen by hand")].join(" · "));
      box.dispatchEvent(new CustomEvent("place:grid", { detail: { ...event.detail, fit: true } }));
    });
    if ("auto" in box.dataset && !this.input("lat").value) this.locateIfAllowed();
  }

  input(name) {
    return this.form.elements[name];
  }

  // Ask by itself only where the person has said yes before, so that the browser's question comes with a reason.
  async locateIfAllowed() {
    if (!navigator.permissions || !navigator.geolocation) return;
    const state = await navigator.permissions.query({ name: "geolocation" }).catch(() => null);
    if (state && state.state === "granted") this.locate();
  }

  locate() {
    if (!navigator.geolocation || !window.isSecureContext) {
      this.say(_("This browser cannot find the place. Please choose the grid by hand."), true);
      return;
    }
    this.wait(true);
    this.say(_("Looking for your place …"));
    navigator.geolocation.getCurrentPosition((found) => {
      this.wait(false);
      const { latitude, longitude, accuracy } = found.coords;
      this.set(latitude, longitude, Math.round(accuracy));
      this.box.dispatchEvent(new CustomEvent("place:found", { detail: { lat: latitude, lon: longitude, accuracy } }));
    }, (error) => {
      this.wait(false);
      this.say(reason(error), true);
    }, OPTIONS);
  }

  async set(lat, lon, accuracy) {
    this.input("lat").value = lat.toFixed(6);
    this.input("lon").value = lon.toFixed(6);
    if (this.input("accuracy_m")) this.input("accuracy_m").value = accuracy === null ? "" : accuracy;
    if (this.input("grid_code")) this.input("grid_code").value = "";  // Until found anew: without a network the server finds it.
    const about = accuracy === null ? _("Pin moved by hand") : _("accurate to about {m} m", { m: accuracy });
    this.say([_("Place found"), about].join(" · "));
    const turn = (this.asked += 1);
    const answer = await send("GET", `/api/v1/grids/locate?lat=${lat.toFixed(6)}&lon=${lon.toFixed(6)}`);
    if (turn !== this.asked) return;  // The pin was moved again meanwhile.
    if (answer.status === 200) this.found(answer.body, about);
    else if (answer.status === 404) this.say(_("This place is outside the city. Move the pin or choose the grid by hand."), true);
    else this.say([_("Place noted. The grid is found when the report arrives."), about].join(" · "));
  }

  found(grid, about) {
    const input = this.input("grid_code");
    if (input) {
      input.value = grid.code;
      input.dispatchEvent(new CustomEvent("grid:found", { bubbles: true, detail: grid }));
    }
    const path = (grid.path || [grid.name]).slice(-3).join(" ");
    this.say(`${path} · ${about}`);
    this.box.dispatchEvent(new CustomEvent("place:grid", { detail: grid }));
  }

  wait(on) {
    if (this.button) this.button.disabled = on;
  }

  say(text, wrong = false) {
    this.words.textContent = text;
    this.words.classList.toggle("is-trouble", wrong);
    // Again beside the button that sends: the map lies further down, and the wrong village is easily overlooked.
    all("[data-place-echo]", this.form).forEach((echo) => {
      echo.textContent = text;
      echo.hidden = false;
      echo.classList.toggle("is-trouble", wrong);
    });
  }
}

function reason(error) {
  if (error.code === 1) return _("The place was not shared. Allow it in the browser's or WeChat's settings, or choose the grid by hand.");
  if (error.code === 3) return _("Finding the place took too long. Step outside and try again, or choose the grid by hand.");
  return _("The place cannot be found just now. Try again, or choose the grid by hand.");
}
