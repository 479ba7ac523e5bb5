// Maps (data-map): the grid's outline and a pin. No tiles unless configured. Positions are WGS-84 everywhere but on a
// GCJ-02 provider's tiles, where they are shifted on the way in and back on the way out.
import gcoord from "gcoord";
import L from "leaflet";
import { all, icon } from "./dom.js";
import { send } from "./send.js";
import { _ } from "./words.js";

const CENTRE = [26.73, 110.63];  // Wugang, shown until there is a pin or an outline.
const KEY_STEP_PX = 8;

const maps = new Map();

function start(root) {
  all("[data-map]", root).forEach((box) => { if (!maps.has(box)) new GridMap(box); });
}

start(document);
// What htmx brings in gets its map, and what it takes away leaves none behind.
document.addEventListener("htmx:load", (event) => start(event.detail.elt));
document.addEventListener("htmx:beforeCleanupElement", (event) => {
  const map = maps.get(event.detail.elt);
  if (map) { map.remove(); maps.delete(event.detail.elt); }
});

function GridMap(box) {
  const data = box.dataset;
  const shifted = Boolean(data.tiles) && data.tileCrs === "gcj02";
  const shown = ([lat, lon]) => (shifted ? gcoord.transform([lon, lat], gcoord.WGS84, gcoord.GCJ02).reverse() : [lat, lon]);
  const real = ({ lat, lng }) => (shifted ? gcoord.transform([lng, lat], gcoord.GCJ02, gcoord.WGS84).reverse() : [lat, lng]);
  const place = box.closest("[data-place]");
  const map = L.map(box, { preferCanvas: true, zoomControl: false, attributionControl: Boolean(data.tileAttribution), keyboard: true, zoomSnap: 0.5 });
  maps.set(box, map);
  L.control.zoom({ zoomInTitle: _("Zoom in"), zoomOutTitle: _("Zoom out") }).addTo(map);
  map.setView(shown(CENTRE), 12);
  if (data.tiles) tiles(map, data);
  const bare = !data.tiles;  // Without tiles the outline is all there is to see, so it is kept in view.
  let outline = null;
  let shownCode = "";
  let pin = null;

  async function showOutline(address, fit) {
    const { status, body: feature } = await send("GET", address);
    if (status !== 200 || !feature.geometry || !maps.has(box)) return;  // The pin serves without an outline.
    if (outline) outline.remove();
    const shape = shifted ? gcoord.transform(feature, gcoord.WGS84, gcoord.GCJ02) : feature;
    outline = L.geoJSON(shape, { style: { color: "#1556b0", weight: 2, fillColor: "#1556b0", fillOpacity: 0.08 }, interactive: false }).addTo(map);
    if (fit || (bare && feature.id !== shownCode)) map.fitBounds(outline.getBounds(), { padding: [16, 16], animate: false });
    shownCode = feature.id;
    box.dataset.ready = "";
  }

  function setPin(at) {
    if (!pin) {
      const picture = document.createElement("span");
      picture.className = "map-pin";
      picture.append(icon("map-pin-filled"));
      pin = L.marker(shown(at), {
        draggable: "editable" in data, keyboard: true, title: _("Place of the report"), alt: _("Place of the report"),
        icon: L.divIcon({ className: "", html: picture, iconSize: [44, 44], iconAnchor: [22, 41] }),
      }).addTo(map);
      if ("editable" in data) pin.on("dragend", moved);
    }
    pin.setLatLng(shown(at));
  }

  function moved() {
    const [lat, lon] = real(pin.getLatLng());
    if (place) place.dispatchEvent(new CustomEvent("place:moved", { detail: { lat, lon } }));
  }

  // The pin by keyboard: arrows move it a little, shift with arrows further.
  function nudge(event) {
    const ways = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };
    const way = ways[event.key];
    if (!way || !pin || document.activeElement !== pin.getElement()) return;
    event.preventDefault();
    event.stopPropagation();
    const step = KEY_STEP_PX * (event.shiftKey ? 5 : 1);
    pin.setLatLng(map.containerPointToLatLng(map.latLngToContainerPoint(pin.getLatLng()).add([way[0] * step, way[1] * step])));
    map.panInside(pin.getLatLng(), { padding: [40, 40] });
    clearTimeout(nudge.timer);
    nudge.timer = setTimeout(moved, 400);
  }

  const start = data.lat && data.lon ? [Number(data.lat), Number(data.lon)] : null;
  if (start) { setPin(start); map.setView(shown(start), 16); }
  if (data.boundary) showOutline(data.boundary, !start); else box.dataset.ready = "";
  if ("editable" in data) {
    map.on("click", (event) => { setPin(real(event.latlng)); moved(); });
    box.addEventListener("keydown", nudge, true);
  }
  if (place) {
    place.addEventListener("place:found", (event) => {
      const at = [event.detail.lat, event.detail.lon];
      setPin(at);
      if (!bare || !outline) map.setView(shown(at), 16, { animate: false });
    });
    place.addEventListener("place:grid", (event) => showOutline(`/api/v1/grids/${event.detail.code}/boundary`, Boolean(event.detail.fit)));
  }
}

function tiles(map, data) {
  const subdomains = data.tileSubdomains && data.tileSubdomains.includes(",") ? data.tileSubdomains.split(",") : data.tileSubdomains || "abc";
  // A tile server outside must not learn which page was open, but 天地图 wants to know the site.
  L.tileLayer(data.tiles, { subdomains, attribution: data.tileAttribution || "", maxZoom: 18, referrerPolicy: "origin" }).addTo(map);
}
