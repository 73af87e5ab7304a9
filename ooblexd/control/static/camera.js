// The cameras of this phone or laptop, its microphone, and why there is none.

const WANTED = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } };
const FACING = { user: "Front camera", environment: "Back camera" };
const REASONS = {
  NotAllowedError: "this page may not use the camera; allow it in the browser's settings for this page",
  NotFoundError: "there is no camera here",
  NotReadableError: "another program uses the camera, or it does not answer",
  OverconstrainedError: "that camera is not there any more",
};

// Says why no camera can be asked for; empty where one can.
export function obstacle() {
  if (navigator.mediaDevices?.getUserMedia) return "";
  if (isSecureContext) return "this browser gives no page a camera";
  return "the browser gives a camera only to pages that come by https, or from this very " +
    `machine (http://localhost${location.port ? `:${location.port}` : ""}); this one came by ` +
    `http from ${location.host}`;
}

// Opens the camera `id`, or the one that faces the user. Throws why not, in a sentence.
export async function openCamera(id) {
  const which = id ? choice(id) : { facingMode: "user" };
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ video: { ...WANTED, ...which } });
    return stream.getVideoTracks()[0];
  } catch (error) {
    throw new Error(REASONS[error.name] ?? error.message);
  }
}

const DEAF = {
  NotAllowedError: "this page may not use the microphone; allow it in the browser's settings for this page",
  NotFoundError: "there is no microphone here",
};

// Opens the microphone. Throws why not, in a sentence.
export async function openMicrophone() {
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    return stream.getAudioTracks()[0];
  } catch (error) {
    throw new Error(DEAF[error.name] ?? error.message);
  }
}

// What can be chosen, [id, label]; the names are known once one was allowed.
export async function listCameras() {
  const devices = await navigator.mediaDevices.enumerateDevices();
  const cameras = devices.filter(({ kind, deviceId }) => kind === "videoinput" && deviceId);
  // A phone has several at its back, of which the browser knows the right one.
  const isPhone = matchMedia("(pointer: coarse)").matches && cameras.length > 1;
  if (isPhone) return Object.entries(FACING).map(([facing, label]) => [`facing:${facing}`, label]);
  return cameras.map(({ deviceId, label }, place) => [deviceId, label || `Camera ${place + 1}`]);
}

function choice(id) {
  const [kind, facing] = id.split(":");
  return kind === "facing" && facing in FACING ? { facingMode: facing } : { deviceId: { exact: id } };
}
