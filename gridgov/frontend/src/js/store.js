// Reports kept on the phone until they have arrived, and drafts not yet sent. One database, entries bound to a person.
import { openDB } from "idb";

let opened = null;

function database() {
  opened = opened || openDB("gridgov", 1, {
    upgrade(db) {
      db.createObjectStore("outbox", { keyPath: "id" });
      db.createObjectStore("drafts", { keyPath: "user" });
    },
  });
  return opened;
}

// Private windows of some browsers have no IndexedDB; then forms post the plain way.
export async function usable() {
  try {
    await database();
    return true;
  } catch (error) {
    opened = null;
    return false;
  }
}

export const keep = async (entry) => (await database()).put("outbox", entry);
export const remove = async (id) => (await database()).delete("outbox", id);
export const everything = async () => (await (await database()).getAll("outbox")).sort((a, b) => a.kept_at - b.kept_at);
export const mine = async (user) => (await everything()).filter((entry) => entry.user === user);
export const keepDraft = async (draft) => (await database()).put("drafts", draft);
export const draftOf = async (user) => (await database()).get("drafts", user);
export const dropDraft = async (user) => (await database()).delete("drafts", user);
