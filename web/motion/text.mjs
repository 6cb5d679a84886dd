/**
 * The editor's words, in the language of the page: English, or Chinese for any "zh".
 */

const LANGUAGES = { zh: "zh" };

/**
 * @param {string} language as the page says it
 * @returns {Promise<(key: string, values?: object) => string>} a text by its key, with `{name}` replaced by the values
 */
export async function loadText(language) {
    const chosen = LANGUAGES[language?.toLowerCase().split("-")[0]] ?? "en";
    const reply = await fetch(new URL(`./text.${chosen}.json`, import.meta.url));
    const table = reply.ok ? await reply.json() : {};
    return (key, values = {}) => (table[key] ?? key).replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}
