// Photos full-screen: a tap opens, arrows and swipes turn, Esc closes. Without <dialog> the link opens the photo itself.
import { all } from "./dom.js";

const SWIPE_PX = 40;

export function start() {
  const viewer = document.getElementById("viewer");
  if (!viewer || !viewer.showModal) return;
  const image = viewer.querySelector(".viewer-image");
  const caption = viewer.querySelector(".viewer-caption");
  let links = [];
  let at = 0;
  let touchX = null;

  function show(n) {
    at = (n + links.length) % links.length;
    image.src = links[at].href;
    image.alt = links[at].querySelector("img").alt;
    image.hidden = false;
    caption.textContent = links[at].dataset.caption || "";
    all(".viewer-prev, .viewer-next", viewer).forEach((button) => { button.hidden = links.length < 2; });
  }

  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-viewer] a");
    if (!link || event.metaKey || event.ctrlKey) return;
    event.preventDefault();
    links = all("a", link.closest("[data-viewer]"));
    show(links.indexOf(link));
    viewer.showModal();
  });
  viewer.addEventListener("click", (event) => {
    if (event.target.closest(".viewer-prev")) show(at - 1);
    else if (event.target.closest(".viewer-next")) show(at + 1);
    else viewer.close();
  });
  viewer.addEventListener("keydown", (event) => {
    if (event.key === "ArrowLeft") show(at - 1);
    if (event.key === "ArrowRight") show(at + 1);
  });
  viewer.addEventListener("touchstart", (event) => { touchX = event.touches.length === 1 ? event.touches[0].clientX : null; }, { passive: true });
  viewer.addEventListener("touchend", (event) => {
    const moved = touchX === null ? 0 : event.changedTouches[0].clientX - touchX;
    touchX = null;
    if (Math.abs(moved) > SWIPE_PX && links.length > 1) { event.preventDefault(); show(at + (moved < 0 ? 1 : -1)); }
  });
  viewer.addEventListener("close", () => { image.removeAttribute("src"); image.hidden = true; });
}
