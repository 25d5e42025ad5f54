"""Pictures of a graph as text: layout, SVG, Mermaid and DOT. Pure: values in, texts out."""
