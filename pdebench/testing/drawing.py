"""Pictures of a validation as SVG files that are the same on every run."""

import io

from pdebench.testing.validation import Picture


def draw(picture: Picture) -> bytes:
    """Return the picture as SVG; published curves are points, ours are lines."""
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with matplotlib.rc_context():
        matplotlib.rcParams["svg.hashsalt"] = picture.name
        matplotlib.rcParams["svg.fonttype"] = "none"
        figure = Figure(figsize=(6.0, 3.8), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        for curve in picture.curves:
            drawn = axes.plot(curve.x, curve.y, label=curve.label, linewidth=1.2)[0]
            if curve.published:
                drawn.set(linestyle="none", marker="o", markerfacecolor="none")
        axes.set_xscale(picture.x_scale)
        axes.set_yscale(picture.y_scale)
        axes.set(xlabel=picture.x, ylabel=picture.y, title=picture.title)
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
        out = io.BytesIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return out.getvalue()
