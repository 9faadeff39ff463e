using System.Text;

namespace OciRuntime.Cli;

/// <summary>A help text in the making: headings, wrapped paragraphs, two-column lists.</summary>
internal sealed class HelpText
{
    private const int Width = 80;
    private const int WidestLeft = 26;

    private readonly StringBuilder _text = new();

    public HelpText Line(string line)
    {
        _text.Append(line).Append('\n');
        return this;
    }

    /// <summary>A blank line and a paragraph.</summary>
    public HelpText Heading(string text)
    {
        _text.Append('\n');
        Wrap(text, 0, 0);
        return this;
    }

    public void Columns(IEnumerable<(string Left, string Right)> rows)
    {
        (string Left, string Right)[] all = [.. rows];
        int left = Math.Min(WidestLeft, all.Max(r => r.Left.Length)) + 2;
        foreach ((string Left, string Right) row in all)
        {
            _text.Append("  ").Append(row.Left.PadRight(left));
            if (row.Left.Length > WidestLeft) _text.Append('\n').Append(' ', left + 2);
            Wrap(row.Right, left + 2, left + 2);
        }
    }

    public void Examples(HelpExample[] examples)
    {
        foreach (HelpExample example in examples)
        {
            _text.Append("  # ");
            Wrap(example.Purpose, 4, 4);
            // Never wrapped, so that it can be copied.
            _text.Append("  ").Append(example.Command).Append('\n');
        }
    }

    public override string ToString() => _text.ToString();

    private void Wrap(string text, int column, int indent)
    {
        bool first = true;
        foreach (string word in text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries))
        {
            if (!first && column + 1 + word.Length > Width)
            {
                _text.Append('\n').Append(' ', indent);
                column = indent;
                first = true;
            }
            _text.Append(first ? "" : " ").Append(word);
            column += word.Length + (first ? 0 : 1);
            first = false;
        }
        _text.Append('\n');
    }
}
