// A photo made small before it travels: upright JPEG of at most 300 KB, without the place and camera it was taken with.

const MOST_BYTES = 300 * 1024;
const STEPS = [[1920, 0.82], [1920, 0.7], [1600, 0.7], [1280, 0.7], [1280, 0.55], [1024, 0.5]];  // longest side px, quality

// Returns a File. What the browser cannot decode (HEIC on some) comes back as it was: the server decodes more kinds.
export async function compress(file) {
  const picture = await decode(file);
  if (!picture) return file;
  let blob = null;
  for (const [side, quality] of STEPS) {
    blob = await draw(picture, side, quality);
    if (blob && blob.size <= MOST_BYTES) break;
  }
  if (picture.close) picture.close();
  if (!blob) return file;
  return new File([blob], file.name.replace(/\.\w+$/, "") + ".jpg", { type: "image/jpeg", lastModified: file.lastModified });
}

async function decode(file) {
  if (window.createImageBitmap) {
    try { return await createImageBitmap(file, { imageOrientation: "from-image" }); } catch (error) { /* Older Safari takes no options; an <img> turns the picture itself. */ }
  }
  const image = new Image();
  const address = URL.createObjectURL(file);
  try {
    image.src = address;
    await image.decode();
    return image;
  } catch (error) {
    return null;  // Not a picture this browser can read; the caller sends the file as it is.
  } finally {
    URL.revokeObjectURL(address);
  }
}

function draw(picture, side, quality) {
  const width = picture.naturalWidth || picture.width;
  const height = picture.naturalHeight || picture.height;
  const scale = Math.min(1, side / Math.max(width, height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff";  // A transparent PNG gets a white ground, not a black one.
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(picture, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => { canvas.toBlob(resolve, "image/jpeg", quality); });
}
