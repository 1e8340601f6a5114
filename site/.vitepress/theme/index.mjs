/** The theme: VitePress's own with the fonts of the reader's system, which nobody has to load. */
export { default } from "vitepress/theme-without-fonts";
