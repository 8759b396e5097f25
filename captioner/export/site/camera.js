/** A dialog that takes a photograph with the camera of the device. */

/**
 * @param {HTMLDialogElement} dialog with a `video`, and the buttons "shoot" and "cancel"
 * @returns {Promise<Blob | null>} the photograph; null if the dialog was cancelled
 * @throws {Error} no camera may be used
 */
export async function takePhotograph(dialog) {
  const stream = await openCamera();
  const video = /** @type {HTMLVideoElement} */ (dialog.querySelector("video"));
  video.srcObject = stream;
  dialog.returnValue = "";
  dialog.showModal();
  try {
    return (await closed(dialog)) === "shoot" ? await frame(video) : null;
  } finally {
    for (const track of stream.getTracks()) track.stop();
    video.srcObject = null;
  }
}

async function openCamera() {
  try {
    return await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  } catch (error) {
    const denied = error instanceof DOMException && error.name === "NotAllowedError";
    throw new Error(
      denied
        ? "The camera is not allowed. Allow it in the settings of the browser, or choose a file."
        : "No camera can be used. Choose a file.",
    );
  }
}

/** @param {HTMLDialogElement} dialog */
function closed(dialog) {
  const buttons = ["shoot", "cancel"].map((id) => /** @type {HTMLElement} */ (dialog.querySelector(`#${id}`)));
  for (const button of buttons) button.onclick = () => dialog.close(button.id);
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue), { once: true });
  });
}

/** @param {HTMLVideoElement} video */
async function frame(video) {
  const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
  canvas.getContext("2d")?.drawImage(video, 0, 0);
  return canvas.convertToBlob({ type: "image/png" });
}
